//! The secrets of an opened environment as a person changes them: the application's own, by name, and the
//! machines' certificates all at once. The rest is Andamio's.

use crate::{Failure, Instance, Kind};
use andamio_converge::{SecretKind, secret_names, secret_value_problem};
use andamio_engine::RunStatus;
use andamio_spec::suggest;

impl Instance {
    /// Names of `[app].secrets` that have a value.
    #[must_use]
    pub fn secret_list(&self) -> Vec<&str> {
        let names = self.request.spec.app.all_secrets().into_iter().map(|s| s.name.as_str());
        names.filter(|n| self.secrets.values().contains_key(*n)).collect()
    }

    /// Gives a secret of the application a value.
    ///
    /// # Errors
    /// When the name is not in `[app].secrets`, no process could be given the value, or the state cannot be
    /// written.
    pub async fn set_secret(&mut self, name: &str, value: String) -> Result<(), Failure> {
        self.declared(name)?;
        self.fits(name, &value)?;
        self.secrets.set(name, Some(value));
        self.save_secrets("secret set", name).await
    }

    /// Forgets a secret's value; the next `up` makes a new one up.
    ///
    /// # Errors
    /// As [`Self::set_secret`].
    pub async fn remove_secret(&mut self, name: &str) -> Result<(), Failure> {
        self.declared(name)?;
        self.secrets.set(name, None);
        self.save_secrets("secret rm", name).await
    }

    /// Makes every machine's own authority anew, and so what it signs; the instance's stays.
    ///
    /// # Errors
    /// When the authority is damaged or the state cannot be written.
    pub async fn renew_certificates(&mut self) -> Result<(), Failure> {
        let wanted = secret_names(&self.request.spec, &self.topology);
        for secret in wanted.iter().filter(|secret| secret.kind == SecretKind::Signer) {
            self.secrets.set(&secret.name, None);
        }
        self.secrets.complete(&wanted)?;
        self.save_secrets("secret renew", "certificates").await
    }

    /// Can a process be given this value, beside the application's other ones?
    ///
    /// # Errors
    /// When it cannot, with the reason.
    pub fn fits(&self, name: &str, value: &str) -> Result<(), Failure> {
        let all = self.request.spec.app.all_secrets().into_iter().map(|secret| &secret.name);
        let others = all.filter(|other| *other != name);
        let bytes: usize =
            others.filter_map(|other| self.secrets.values().get(other)).map(String::len).sum();
        secret_value_problem(value, bytes).map_err(|problem| {
            let help =
                "keep it in a file that the application reads (`files` of [app]), or in pieces";
            Failure::new(
                Kind::Usage,
                "secret-value",
                format!("the value of {name} {problem}"),
                help,
            )
        })
    }

    /// The ledger says who changed what, and nothing of the value.
    async fn save_secrets(&self, verb: &str, what: &str) -> Result<(), Failure> {
        let recipients =
            self.secrets.readers(&self.request.spec.project.team, &self.request.identity)?;
        self.secrets.save(&self.store, &recipients).await?;
        let entry = self.entry(verb).end(RunStatus::Ok, 1, what);
        self.note(entry).await?;
        Ok(())
    }

    /// Is it a secret of the application?
    ///
    /// # Errors
    /// When it is not, with a near name.
    pub fn declared(&self, name: &str) -> Result<(), Failure> {
        let all = self.request.spec.app.all_secrets();
        let names: Vec<&str> = all.iter().map(|secret| secret.name.as_str()).collect();
        if names.contains(&name) {
            return Ok(());
        }
        let help = match suggest(name, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add \"{name}\" to `secrets` of [app] in andamio.toml"),
        };
        Err(Failure::new(Kind::Usage, "secret", format!("no secret `{name}` is declared"), &help))
    }
}
