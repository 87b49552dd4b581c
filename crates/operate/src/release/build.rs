//! Building the image with buildah on a machine of the instance, so that the host needs no container
//! engine, and bringing it to the machines that run it.

use super::context::Extra;
use super::script::script;
use super::transfer::{Said, across, feed};
use super::{base, complaint, prune};
use crate::failure::{fault, remote_fault};
use crate::instance::{Shared, while_it_runs};
use andamio_converge::Release;
use andamio_engine::{Action, BoxFuture, ErrorReport, Outcome, State, StepContext};
use andamio_provision::{MachineState, Provider};
use andamio_remote::{Session, Stream, quote};
use andamio_spec::topology::Role;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Step: put a release's image on every machine of `machines` that lacks it, from any machine that has it; where
/// none has, it is built on `builder` first.
pub(crate) struct Build {
    pub(crate) instance: Shared,
    pub(crate) release: Release,
    /// The source; `None` where what is wanted was recorded, and only images count.
    pub(crate) context: Option<Arc<super::Context>>,
    pub(crate) builder: String,
    pub(crate) machines: Vec<String>,
}

impl Action for Build {
    fn apply<'a>(
        &'a self,
        context: &'a StepContext<'a>,
    ) -> BoxFuture<'a, Result<Outcome, ErrorReport>> {
        Box::pin(async move {
            if let Provider::Local(local) = &self.instance.provider {
                // Again: what the steps before took was not known when the run began.
                local.check_room().map_err(|e| fault(&e))?;
            }
            let mut changed = 0;
            let source = match self.holder().await? {
                Some(holder) => holder,
                None => {
                    let builder = self.session(&self.builder).await?;
                    self.build(&builder, context).await?;
                    changed += 1;
                    builder
                }
            };
            for machine in &self.machines {
                let session = self.session(machine).await?;
                if !has(&session, &self.release).await? {
                    context.doing(&format!("copying {} to {machine}", self.release.image));
                    let work = self.copy(&source, &session);
                    while_it_runs(&self.instance, machine, work).await?;
                    changed += 1;
                }
            }
            Ok(if changed == 0 { Outcome::Ok } else { Outcome::Changed(changed) })
        })
    }
}

impl Build {
    async fn session(&self, machine: &str) -> Result<Arc<Session>, ErrorReport> {
        let inventory = self.instance.inventory();
        let found = inventory.get(machine).ok_or_else(|| {
            ErrorReport::new("build", format!("no machine {machine}"), "run `andamio up` again")
        })?;
        self.instance.nodes.session(found, PATIENCE).await.map_err(|e| remote_fault(&e))
    }

    /// Any machine that has the image: those that need it first, then the builder and all that run the application.
    async fn holder(&self) -> Result<Option<Arc<Session>>, ErrorReport> {
        let topology = &self.instance.topology;
        let apps = topology.with_role(Role::App).map(|machine| &machine.name);
        let inventory = self.instance.inventory();
        let mut asked: Vec<&String> = Vec::new();
        for name in self.machines.iter().chain([&self.builder]).chain(apps) {
            let runs = inventory.get(name).is_some_and(|m| m.state == MachineState::Running);
            if runs && !asked.contains(&name) {
                asked.push(name);
            }
        }
        let asked = asked.into_iter().map(|name| async move {
            let session = self.session(name).await.ok()?;
            has(&session, &self.release).await.is_ok_and(|has| has).then_some(session)
        });
        Ok(join_all(asked).await.into_iter().flatten().next())
    }

    async fn build(&self, session: &Session, context: &StepContext<'_>) -> Result<(), ErrorReport> {
        if let Some(reference) = &self.instance.request.spec.app.image {
            let machines = self.machines.iter().chain([&self.builder]).cloned().collect();
            prune::prune(&self.instance, &self.release, machines).await;
            context.doing(&format!("pulling {reference}"));
            let work = self.pull(reference, session);
            return while_it_runs(&self.instance, &self.builder, work).await;
        }
        let Some(source) = &self.context else {
            let message = format!("no machine has the image of release {}", self.release.id);
            let help = "run `andamio up` in the project's folder: it builds what is there";
            return Err(ErrorReport::new("no-image", message, help));
        };
        let machines = self.machines.iter().chain([&self.builder]).cloned().collect();
        prune::prune(&self.instance, &self.release, machines).await;
        context.doing(&format!("building {}", self.release.image));
        let work = self.build_from(source, session, context);
        while_it_runs(&self.instance, &self.builder, work).await
    }

    async fn pull(&self, reference: &str, session: &Session) -> Result<(), ErrorReport> {
        let (from, to) = (quote(&[reference]), quote(&[&self.release.image]));
        let script = format!(
            "set -e; podman image exists {from} || podman pull --quiet {from}; podman tag {from} {to}"
        );
        let pulled = session.output(&script, &[]).await.map_err(|e| remote_fault(&e))?;
        if pulled.exit.success() {
            return Ok(());
        }
        Err(complaint::pull(&pulled.complaint(), reference, &self.builder))
    }

    async fn build_from(
        &self,
        source: &Arc<super::Context>,
        session: &Session,
        context: &StepContext<'_>,
    ) -> Result<(), ErrorReport> {
        base::bring(&self.instance, session, source, context).await?;
        let build = &self.instance.request.spec.app.build;
        let script = script(&self.release.image, source.takes_target, build);
        let extra = self.extra()?;
        let known = self.instance.secrets.values();
        let hidden: Vec<&String> =
            build.secrets.iter().filter_map(|name| known.get(name)).collect();
        let mut said = Said::default();
        let whole = Arc::clone(source);
        let ended = feed(
            session,
            &script,
            move |out| whole.write(out, &extra),
            |stream, bytes| {
                if stream == Stream::Err {
                    said.add(bytes);
                    if let Some(line) = String::from_utf8_lossy(bytes).lines().last() {
                        context.doing(&masked(line, &hidden));
                    }
                }
            },
        );
        let (exit, sent) = ended.await.map_err(|e| remote_fault(&e))?;
        if exit.success() {
            if let Some(warning) = prune::warning(session).await {
                context.resource("disk", State::Ok, 0, &warning, "");
            }
            return Ok(());
        }
        // A builder that ended by itself reads no more, and says why.
        if let Err(error) = sent
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            let message = format!("cannot send the application's folder: {error}");
            return Err(ErrorReport::new("context", message, "run the same command again"));
        }
        let fault = complaint::fault(&masked(&said.text(), &hidden), source, &self.builder);
        Err(if fault.code == complaint::SPACE { prune::used(session, fault).await } else { fault })
    }

    /// What the build may know and no image has.
    fn extra(&self) -> Result<Vec<Extra>, ErrorReport> {
        let request = &self.instance.request;
        let build = &request.spec.app.build;
        let mut extra = Vec::new();
        for name in &build.secrets {
            let Some(value) = self.instance.secrets.values().get(name) else {
                let message = format!("the build needs the secret {name}, which nobody has set");
                let help = format!("set it with `andamio secret set {} {name}`", request.env);
                return Err(ErrorReport::new("secret-missing", message, &help));
            };
            let content = value.clone().into_bytes();
            extra.push(Extra { name: format!("secrets/{name}"), content });
        }
        if let Some(name) = &build.trust {
            let path = request.project.join(name);
            let content = std::fs::read(&path).map_err(|e| {
                let message = format!("cannot read {}: {e}", path.display());
                ErrorReport::new("build-trust", message, "correct `build.trust` in andamio.toml")
            })?;
            extra.push(Extra { name: "trust.pem".to_owned(), content });
        }
        Ok(extra)
    }

    /// From the builder to another machine, through the operator.
    async fn copy(&self, builder: &Session, session: &Session) -> Result<(), ErrorReport> {
        let save = format!(
            "set -e; t=$(mktemp -u /var/tmp/andamio-save.XXXXXX); trap 'rm -f \"$t\"' EXIT; \
             podman save --quiet -o \"$t\" {}; stat -c %s \"$t\"; cat \"$t\"",
            quote(&[&self.release.image])
        );
        // Complete or not at all: an operator that is killed in the middle looks like the end of the input.
        let target = quote(&[&self.release.archive]);
        let load = format!(
            "umask 077; read -r n; d=$(dirname {target}); mkdir -p \"$d\" && t=$(mktemp \"$d\"/.andamio.XXXXXX) \
             && cat > \"$t\" && [ \"$(wc -c < \"$t\")\" -eq \"$n\" ] && sync \"$t\" && mv -f \"$t\" {target} \
             || {{ s=$?; rm -f \"$t\"; exit $s; }}"
        );
        across(builder, &save, session, &load).await
    }
}

/// Without what a RUN said of a secret: each of its lines that is long enough to be one.
fn masked(text: &str, hidden: &[&String]) -> String {
    let lines = hidden.iter().flat_map(|value| value.lines()).map(str::trim);
    lines
        .filter(|line| line.len() > 3)
        .fold(text.to_owned(), |text, line| text.replace(line, "***"))
}

async fn has(session: &Session, release: &Release) -> Result<bool, ErrorReport> {
    let command = format!("podman image exists {}", quote(&[&release.image]));
    let output = session.output(&command, &[]).await.map_err(|e| remote_fault(&e))?;
    Ok(output.exit.success())
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn what_a_run_says_of_a_secret_is_not_told() {
        let (one, two) = ("s3cret".to_owned(), "-----\nabcdef\nx\n".to_owned());
        assert_eq!(masked("x s3cret abcdef", &[&one, &two]), "x *** ***");
    }
}
