//! `state show`, `adopt` and `fork`: whose the environments of a state are, and what becomes of a copy.

use crate::access::PINS;
use crate::actor::{Actors, Me};
use crate::desired::Desired;
pub use crate::ownership::Ownership;
use crate::ownership::{self, Owner};
use crate::up::manifest;
use crate::{Failure, Kind, Secrets, release};
use andamio_engine::{Ledger, Lock, RunRecord, RunStatus, Scope, StatePlace, Store, Timestamp};
use andamio_spec::reserved::is_own_secret;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// A state, from the caller.
pub struct State {
    pub place: StatePlace,
    pub identity: PathBuf,
    /// `user@host`.
    pub by: String,
}

#[derive(Debug, Serialize)]
pub struct Shown {
    pub instance: String,
    pub id: String,
    pub ownership: Ownership,
    /// Where the state lies that owns it.
    pub owner: String,
    pub desired: Option<Wanted>,
    pub release: Option<String>,
    pub locks: Vec<Held>,
}

/// What is wanted of an instance.
#[derive(Debug, Serialize)]
pub struct Wanted {
    pub number: u64,
    pub enabled: bool,
    pub by: String,
    pub written: Timestamp,
    pub why: String,
    pub counts: std::collections::BTreeMap<andamio_spec::Group, u32>,
    pub limit: Vec<String>,
}

/// A lock and who has it.
#[derive(Debug, Serialize)]
pub struct Held {
    pub scope: &'static str,
    pub by: String,
    pub purpose: String,
    pub since: Timestamp,
}

impl Wanted {
    pub(crate) fn of(desired: &Desired) -> Self {
        let Desired { number, enabled, by, written, why, counts, limit, .. } = desired.clone();
        Self { number, enabled, by, written, why, counts, limit }
    }
}

/// Who works there now.
pub(crate) async fn locks(store: &Store) -> Result<Vec<Held>, Failure> {
    let mut held = Vec::new();
    for scope in Scope::ALL {
        if let Some(record) = Lock::holder(store, scope).await? {
            let (by, purpose, since) = (record.holder.by, record.purpose, record.since);
            held.push(Held { scope: scope.as_str(), by, purpose, since });
        }
    }
    Ok(held)
}

impl State {
    /// Names of its instances, or the one that `env` means, as `ENV` or `ENV@PLACE`.
    ///
    /// # Errors
    /// When the state cannot be read, or has no such instance.
    pub async fn instances(&self, env: Option<&str>) -> Result<Vec<String>, Failure> {
        let all = Store::look(&self.place)?.instances().await?;
        let Some(env) = env else { return Ok(all) };
        let means =
            |name: &&String| *name == env || name.split_once('@').is_some_and(|(of, _)| of == env);
        let found: Vec<String> = all.iter().filter(means).cloned().collect();
        if found.is_empty() {
            let message = format!("the state has no {env}");
            let help = format!(
                "it has {}",
                if all.is_empty() { "nothing yet".to_owned() } else { all.join(", ") }
            );
            return Err(Failure::new(Kind::Usage, "environment", message, &help));
        }
        Ok(found)
    }

    /// What the state says of an instance.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn show(&self, instance: &str) -> Result<Shown, Failure> {
        let store = Store::look(&self.place)?.instance(instance);
        let (owner, ownership) = ownership::look(&store, &self.place, instance, &self.by).await?;
        Ok(Shown {
            instance: instance.to_owned(),
            owner: owner.shown(),
            id: owner.id,
            ownership,
            desired: Desired::newest(&store).await?.as_ref().map(Wanted::of),
            release: release::live(&store).await?.map(|live| live.id),
            locks: locks(&store).await?,
        })
    }

    /// Makes this state the owner of an instance: another one that has been it is refused from now on.
    ///
    /// # Errors
    /// When the state or the instance's folder on this host cannot be written.
    pub async fn adopt(&self, instance: &str) -> Result<Owner, Failure> {
        let store = Store::open(&self.place)?.instance(instance);
        let (former, _) = ownership::look(&store, &self.place, instance, &self.by).await?;
        let owner = Owner::here(&former.id, &self.place, &self.by);
        let secrets = Secrets::load(&store, &self.identity).await?;
        owner.record(&store).await?;
        let said = format!("from {}", former.shown());
        self.note(&store, &secrets, instance, "state adopt", &said).await?;
        Ok(owner)
    }

    /// Makes an environment of its own of an instance: another id, and secrets of its own but for those that a person
    /// gave the application. Nothing of it stands then.
    ///
    /// # Errors
    /// When the state is no copy, its machines are servers that exist, the secrets cannot be read, or the state cannot be
    /// written.
    pub async fn fork(&self, instance: &str) -> Result<Owner, Failure> {
        let store = Store::open(&self.place)?.instance(instance);
        if store.last(PINS).await?.is_some() {
            let message = format!("the servers of {instance} can belong to one state only");
            let help = "make this state their owner with `andamio state adopt`, or name other servers in andamio.toml \
                        and start with an empty state";
            return Err(Failure::new(Kind::Refused, "hosts", message, help));
        }
        let (former, ownership) = ownership::look(&store, &self.place, instance, &self.by).await?;
        if ownership != Ownership::Copied {
            let message = format!(
                "this state is no copy: {instance} is its own, and machines of it may stand"
            );
            let help = "copy the state to another folder, and name that one with --state";
            return Err(Failure::new(Kind::Refused, "no-copy", message, help));
        }
        let mut secrets = Secrets::load(&store, &self.identity).await?;
        let actors = Actors::trusted(&store, &secrets).await?;
        let copied = secrets.ssh_pair();
        secrets.retain(|name| !is_own_secret(name));
        // Its own SSH key; the rest is made by `up`.
        secrets.complete(&[])?;
        let readers = secrets.readers(&[], &self.identity)?;
        let owner = Owner::here(&ownership::fresh_id()?, &self.place, &self.by);
        if actors.number > 0 {
            // Signed with both keys: whichever the secrets have when this is killed, it counts.
            actors.write(&store, &self.by, &[&secrets.ssh_pair(), &copied]).await?;
        }
        secrets.save(&store, &readers).await?;
        release::forget(&store).await?;
        for machine in store.series_below(manifest::FOLDER).await? {
            manifest::forget(&store, &machine).await?;
        }
        // Last: until then it is the copy that it was, and the same command completes it.
        owner.record(&store).await?;
        let said = format!("of {}", former.shown());
        self.note(&store, &secrets, instance, "state fork", &said).await?;
        Ok(owner)
    }

    async fn note(
        &self,
        store: &Store,
        secrets: &Secrets,
        instance: &str,
        verb: &str,
        message: &str,
    ) -> Result<(), Failure> {
        let (env, place) = instance.split_once('@').unwrap_or((instance, "local"));
        let entry = RunRecord::begin(verb, env, place, &self.by).end(RunStatus::Ok, 1, message);
        let desired = Desired::newest(store).await?;
        // A file without a team says nothing of anybody's name.
        let file = desired.as_ref().map_or("[project]", |desired| &desired.file);
        let me = Me::find(&self.identity, file, &self.by)?.filter(|_| secrets.are_stored());
        let mut ledger = Ledger::new(store.clone());
        if let Some(me) = me {
            Actors::enrolled(store, secrets, &me).await?;
            ledger = ledger.signed(Arc::new(me.key));
        }
        ledger.append(entry).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::new_identity;
    use std::path::Path;

    const INSTANCE: &str = "dev@local";

    fn state(folder: &Path, identity: &Path) -> State {
        let place = StatePlace::Folder(folder.to_owned());
        State { place, identity: identity.to_owned(), by: "ana@here".to_owned() }
    }

    #[tokio::test]
    async fn a_fork_shares_people_and_given_secrets_and_nothing_that_opens_machines() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (root.path().join("first"), root.path().join("second"));
        let identity = root.path().join("identity.txt");
        new_identity(&identity).unwrap();
        let store = Store::directory(&first).unwrap().instance(INSTANCE);
        let mut secrets = Secrets::default();
        secrets.complete(&[]).unwrap();
        for name in ["SESSION_KEY", "redis-password"] {
            secrets.set(name, Some("one".to_owned()));
        }
        secrets.save(&store, &secrets.readers(&[], &identity).unwrap()).await.unwrap();
        let place = StatePlace::Folder(first.clone());
        let (owner, _) = ownership::look(&store, &place, INSTANCE, "ana@here").await.unwrap();
        owner.record(&store).await.unwrap();
        let secrets = Secrets::load(&store, &identity).await.unwrap();
        let me = Me::find(&identity, "[project]", "ana@here").unwrap().unwrap();
        Actors::enrolled(&store, &secrets, &me).await.unwrap();
        let words = ["-a", first.to_str().unwrap(), second.to_str().unwrap()];
        assert!(std::process::Command::new("cp").args(words).status().unwrap().success());

        let copy = state(&second, &identity);
        assert_eq!(copy.show(INSTANCE).await.unwrap().ownership, Ownership::Copied);
        copy.fork(INSTANCE).await.unwrap();
        let shown = copy.show(INSTANCE).await.unwrap();
        assert!(shown.ownership == Ownership::Own && shown.id != owner.id, "{shown:?}");
        let store = Store::look(&copy.place).unwrap().instance(INSTANCE);
        let forked = Secrets::load(&store, &identity).await.unwrap();
        assert_eq!(forked.values()["SESSION_KEY"], "one");
        assert!(!forked.values().contains_key("redis-password"));
        assert_ne!(forked.ssh_public(), secrets.ssh_public());
        assert_eq!(Actors::trusted(&store, &forked).await.unwrap().active().count(), 1);
        assert_eq!(
            state(&first, &identity).show(INSTANCE).await.unwrap().ownership,
            Ownership::Own
        );
        // What stands is never cut off from its secrets.
        for own in [&copy, &state(&first, &identity)] {
            assert_eq!(own.fork(INSTANCE).await.unwrap_err().error.code, "no-copy");
        }
        // The entry is signed, so history has nothing to complain about.
        let (_, entry) = store.newest("ledger").await.unwrap().unwrap();
        let entry: RunRecord = serde_json::from_slice(&entry).unwrap();
        assert!(entry.verb == "state fork" && !entry.signature.is_empty());
    }
}
