//! Which state an environment belongs to. The state keeps the environment's id and where it lies itself; what an
//! environment has on this host names its state too. So a state that was moved is followed, and of two copies one owns
//! the machines.

use crate::{Failure, Kind};
use andamio_engine::{StatePlace, Store, StoreError, Timestamp, now};
use andamio_provision::local::{Roots, instance_id, is_here, note_owner, owner_of};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

const SERIES: &str = "owner";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub v: u32,
    /// Of the environment: what it has on a host is named by it.
    pub id: String,
    /// Where the state lies.
    pub place: String,
    /// Which machine that is a folder of; empty for a bucket.
    pub host: String,
    pub by: String,
    pub since: Timestamp,
}

/// What a state is to its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ownership {
    /// Nothing was recorded yet.
    New,
    Own,
    /// It lies elsewhere now, and nothing is left where it was.
    Moved,
    /// The owner is still there, or where nobody can look from here.
    Copied,
}

impl Owner {
    /// Of the state at this place.
    pub(crate) fn here(id: &str, place: &StatePlace, by: &str) -> Self {
        let host = match place {
            StatePlace::Folder(_) => host(),
            StatePlace::Bucket(_) => String::new(),
        };
        let (id, place, by) = (id.to_owned(), place.id(), by.to_owned());
        Self { v: 1, id, place, host, by, since: now() }
    }

    async fn newest(store: &Store) -> Result<Option<Self>, Failure> {
        let Some((number, body)) = store.newest(SERIES).await? else { return Ok(None) };
        let owner = serde_json::from_slice(&body);
        let garbled =
            |e: serde_json::Error| StoreError::Garbled(format!("{SERIES} {number}"), e.to_string());
        Ok(Some(owner.map_err(garbled)?))
    }

    /// Says in the state that it is the owner, and in the environment's folder on this host, where there is one.
    pub(crate) async fn record(&self, store: &Store) -> Result<(), Failure> {
        store.append(SERIES, self.text().into_bytes()).await?;
        let roots = Roots::default();
        if is_here(&roots, &self.id) {
            note_owner(&roots, &self.id, &self.text())?;
        }
        Ok(())
    }

    /// What the environment's folder on this host says.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    fn same_place(&self, here: &Self) -> bool {
        self.place == here.place && self.host == here.host
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        let place = self.place.split('#').next().unwrap_or_default();
        if self.host.is_empty() || self.host == host() {
            place.to_owned()
        } else {
            format!("{place} of another machine")
        }
    }
}

/// Whose the environment is, and what this state is to it. `Copied` comes with the owner's own record.
///
/// # Errors
/// When the state cannot be read.
pub(crate) async fn look(
    store: &Store,
    place: &StatePlace,
    instance: &str,
    by: &str,
) -> Result<(Owner, Ownership), Failure> {
    let Some(recorded) = Owner::newest(store).await? else {
        // Earlier versions computed it each time.
        let here = Owner::here(&instance_id(&place.id(), instance), place, by);
        let taken = match on_host(&here.id).filter(|owner| !owner.same_place(&here)) {
            Some(owner) => is_left(&owner, instance).await,
            None => false,
        };
        let id = if taken { fresh_id()? } else { here.id.clone() };
        return Ok((Owner { id, ..here }, Ownership::New));
    };
    let here = Owner::here(&recorded.id, place, by);
    let said = [Some(recorded.clone()), on_host(&recorded.id)];
    let elsewhere = said.into_iter().flatten().filter(|owner| !owner.same_place(&here));
    let mut result = (recorded, Ownership::Own);
    for owner in elsewhere {
        if is_left(&owner, instance).await {
            return Ok((owner, Ownership::Copied));
        }
        result = (here.clone(), Ownership::Moved);
    }
    Ok(result)
}

/// What the environment's folder on this host says.
fn on_host(id: &str) -> Option<Owner> {
    serde_json::from_str(&owner_of(&Roots::default(), id)?).ok()
}

/// An id that nothing on this host has.
pub(crate) fn fresh_id() -> Result<String, Failure> {
    loop {
        let mut bytes = [0; 3];
        getrandom::fill(&mut bytes).map_err(|e| {
            Failure::new(Kind::Failed, "random", e, "the system has no randomness to give")
        })?;
        let id = hex::encode(bytes);
        if !is_here(&Roots::default(), &id) {
            return Ok(id);
        }
    }
}

/// Is the environment's state still where that record says? It is where nobody can look from here.
async fn is_left(owner: &Owner, instance: &str) -> bool {
    if owner.host.is_empty() || owner.host != host() {
        return true;
    }
    let folder = StatePlace::Folder(PathBuf::from(&owner.place));
    let Ok(store) = Store::look(&folder) else { return true };
    let store = store.instance(instance);
    match Owner::newest(&store).await {
        Ok(there) => there.is_some_and(|there| there.id == owner.id && there.place == owner.place),
        Err(_) => true,
    }
}

pub(crate) fn copied(owner: &Owner, instance: &str) -> Failure {
    let message = format!(
        "this state is a copy: {instance} belongs to the state at {} ({} said so at {:.0})",
        owner.shown(),
        owner.by,
        owner.since
    );
    let help = "work there (--state); or make this state the owner with `andamio state adopt`, or an environment of its \
                own of it with `andamio state fork`";
    Failure::new(Kind::Refused, "copied-state", message, help)
}

/// Tells this machine from others without saying which it is (machine-id(5) must not be given away).
fn host() -> String {
    let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    hex::encode(&Sha256::digest(format!("andamio {}", id.trim()))[..8])
}

#[cfg(test)]
mod tests;
