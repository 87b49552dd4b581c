//! Which list of actors each machine was last told: after `key remove`, which of them still let the removed key in.

use super::{Actors, Standing};
use crate::Failure;
use andamio_engine::Store;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const MANIFESTS: &str = "manifests";

#[derive(Serialize, Deserialize)]
struct Heard {
    v: u32,
    /// Number of the list.
    actors: u64,
}

fn series(machine: &str) -> String {
    format!("heard/{machine}")
}

/// Notes that a machine has the keys of the list that this run was opened with.
pub(crate) async fn note(store: &Store, actors: &Actors, machine: &str) -> Result<(), Failure> {
    let series = series(machine);
    let heard = Heard { v: 1, actors: actors.number };
    let newest = store.newest(&series).await?;
    let newest = newest.and_then(|(_, body)| serde_json::from_slice::<Heard>(&body).ok());
    if newest.is_none_or(|newest| newest.actors != heard.actors) {
        let number = store.append(&series, serde_json::to_vec(&heard).unwrap_or_default()).await?;
        store.forget_below(&series, number).await?;
    }
    Ok(())
}

/// What machines of an instance were told, and what there is to tell.
pub(crate) struct Told {
    pub(crate) actors: Actors,
    machines: Vec<(String, Option<Actors>)>,
}

impl Told {
    /// Machines are those that were sent a declared state and not removed since.
    pub(crate) async fn read(store: &Store) -> Result<Self, Failure> {
        let actors = Actors::read(store).await?;
        let names = store.series_below(MANIFESTS).await?;
        let machines = names.into_iter().map(|name| async move {
            let sent = store.newest(&format!("{MANIFESTS}/{name}")).await?;
            if sent.is_none_or(|(_, digest)| digest == b"\"\"") {
                return Ok::<_, Failure>(None);
            }
            let heard = store.newest(&series(&name)).await?;
            let heard = heard.and_then(|(_, body)| serde_json::from_slice::<Heard>(&body).ok());
            let list = match heard {
                Some(heard) => Actors::at(store, heard.actors).await?,
                None => None,
            };
            Ok(Some((name, list)))
        });
        let machines = try_join_all(machines).await?.into_iter().flatten().collect();
        Ok(Self { actors, machines })
    }

    /// Machines that let others in than the newest list says.
    pub(crate) fn behind(&self) -> Vec<String> {
        let now = keys(&self.actors);
        let behind = |list: &Option<Actors>| list.as_ref().is_none_or(|list| keys(list) != now);
        let machines = self.machines.iter().filter(|(_, list)| behind(list));
        machines.map(|(name, _)| name.clone()).collect()
    }

    /// Machines that do not know yet how this key stands.
    pub(crate) fn behind_on(&self, ssh: &str) -> Vec<String> {
        let now = self.actors.standing(ssh);
        let then = |list: &Option<Actors>| {
            list.as_ref().map_or(Standing::Unknown, |list| list.standing(ssh))
        };
        let machines = self.machines.iter().filter(|(_, list)| then(list) != now);
        machines.map(|(name, _)| name.clone()).collect()
    }
}

/// All that opens a machine.
fn keys(list: &Actors) -> BTreeSet<&str> {
    let own = list.operator.as_str();
    list.active().map(|actor| actor.ssh.as_str()).chain([own]).collect()
}
