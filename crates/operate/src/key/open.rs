//! All instances of a state at once: locked, with their secrets open, and what is done to each of them.

use super::TeamKeys;
use crate::actor::{Actors, Me};
use crate::secret::{AgeIdentity, Sealed, Secrets};
use crate::{Failure, Kind};
use andamio_engine::{Holder, Ledger, Lock, RunRecord, RunStatus, Scope, Store};
use std::sync::Arc;

/// An instance whose lock is held and whose secrets are open.
pub(super) struct Open {
    pub(super) name: String,
    pub(super) store: Store,
    lock: Lock,
    pub(super) secrets: Secrets,
    pub(super) actors: Actors,
}

impl TeamKeys {
    /// Locks all instances and opens their secrets; nothing is changed when one cannot be.
    pub(super) async fn open(&self, verb: &str) -> Result<Vec<Open>, Failure> {
        let Some(identity) = self.reader().await? else { return Ok(Vec::new()) };
        let me = self.me()?;
        let mut open: Vec<Open> = Vec::new();
        for (name, _) in self.sealed().await? {
            match self.open_one(verb, &name, &identity, &me).await {
                Ok(one) => open.push(one),
                Err(failure) => {
                    release(open).await;
                    return Err(failure);
                }
            }
        }
        Ok(open)
    }

    async fn open_one(
        &self,
        verb: &str,
        name: &str,
        identity: &AgeIdentity,
        me: &Me,
    ) -> Result<Open, Failure> {
        let store = self.store.instance(name);
        let purpose = format!("{verb} {name}");
        let holder = Holder::current(&self.by);
        let (lock, _) = Lock::take(&store, Scope::Converge, holder, &purpose, None).await?;
        let read = async {
            // What was read before the lock may be old.
            let secrets = match Sealed::newest(&store).await? {
                Some(sealed) => sealed.open(identity)?,
                None => Secrets::default(),
            };
            let actors = Actors::trusted(&store, &secrets).await?;
            if actors.standing(me.key.public()) == crate::actor::Standing::Removed {
                return Err(crate::actor::removed(me));
            }
            Ok((secrets, actors))
        };
        match read.await {
            Ok((secrets, actors)) => {
                Ok(Open { name: name.to_owned(), store, lock, secrets, actors })
            }
            Err(mut failure) => {
                let _ = lock.release().await;
                failure.error.message = format!("{name}: {}", failure.error.message);
                Err(failure)
            }
        }
    }

    /// Whoever calls.
    pub(super) fn me(&self) -> Result<Me, Failure> {
        let missing = || {
            let message = format!("there is no identity at {}", self.identity.display());
            Failure::new(Kind::Host, "identity", message, "make one with `andamio init`")
        };
        Me::find(&self.identity, &self.text, &self.by)?.ok_or_else(missing)
    }

    /// The identity, needed as soon as there is anything to read.
    pub(super) async fn reader(&self) -> Result<Option<AgeIdentity>, Failure> {
        if self.sealed().await?.is_empty() {
            return Ok(None);
        }
        AgeIdentity::read(&self.identity).map(Some)
    }
}

impl Open {
    /// Changes the list of actors, whoever else changes it meanwhile, and signs it with the instance's key, with `next` too
    /// where that is to be its key from then on. True when there was something to change.
    pub(super) async fn change(
        &mut self,
        me: &Me,
        next: Option<&andamio_remote::KeyPair>,
        change: impl AsyncFn(&mut Actors, &Store) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let own = self.secrets.ssh_pair();
        let keys: Vec<_> = next.into_iter().chain([&own]).collect();
        loop {
            let mut list = Actors::trusted(&self.store, &self.secrets).await?;
            if !change(&mut list, &self.store).await? && next.is_none() {
                self.actors = list;
                return Ok(false);
            }
            if let Some(list) = list.write(&self.store, &me.by, &keys).await? {
                self.actors = list;
                return Ok(true);
            }
        }
    }

    /// Who could do what when is something that an audit asks.
    pub(super) async fn record(&self, me: &Me, what: &str) -> Result<(), Failure> {
        let purpose = self.lock.purpose();
        let verb = purpose.rsplit_once(' ').map_or(purpose, |(verb, _)| verb);
        let (env, place) = self.name.split_once('@').unwrap_or((&self.name, "local"));
        let record = RunRecord::begin(verb, env, place, &me.by).end(RunStatus::Ok, 1, what);
        let ledger = Ledger::new(self.store.clone()).signed(Arc::new(me.key.clone()));
        ledger.append(record).await?;
        Ok(())
    }
}

pub(super) async fn done(
    open: Vec<Open>,
    result: Result<(), Failure>,
) -> Result<Vec<String>, Failure> {
    let names = open.iter().map(|one| one.name.clone()).collect();
    release(open).await;
    result.map(|()| names)
}

async fn release(open: Vec<Open>) {
    for one in open {
        // A lock that cannot be given back ends with this process.
        let _ = one.lock.release().await;
    }
}
