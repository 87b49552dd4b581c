//! Who can read the secrets: `team` of andamio.toml, and every instance's newest secrets encrypted
//! to it. And whom its machines let in: its actors.
//!
//! A change first takes the lock of every instance of the state, then writes the file, then
//! encrypts anew: killed anywhere, the same command again completes it.

mod change;
mod newcomer;
mod open;

pub use crate::team::{Member, members, with, without};
pub use change::{Changed, Removal};
pub use newcomer::Newcomer;

use crate::actor::{Actor, Purpose, Standing, heard::Told};
use crate::secret::{AgeIdentity, Sealed, bare, public_keys, same};
use crate::{Failure, Kind};
use andamio_engine::Store;
use serde::Serialize;
use std::path::PathBuf;

/// What the verbs of `key` need to know, from the caller.
pub struct TeamKeys {
    pub store: Store,
    pub identity: PathBuf,
    /// andamio.toml and its text.
    pub file: PathBuf,
    pub text: String,
    /// `user@host`.
    pub by: String,
}

#[derive(Debug, Serialize)]
pub struct Keys {
    pub identity: String,
    /// Public keys of the identity; none when there is no identity.
    pub you: Vec<String>,
    pub keys: Vec<Key>,
    pub instances: Vec<Readable>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Key {
    pub key: String,
    pub name: String,
    /// In `team` of andamio.toml.
    pub team: bool,
    pub you: bool,
    /// Taken away with `key remove`, though this andamio.toml still has it.
    pub removed: bool,
    /// Instances that it can read.
    pub instances: Vec<String>,
    /// What its owner logs in to machines with, and signs.
    pub ssh: Option<String>,
    #[serde(rename = "for")]
    pub purpose: Purpose,
    /// Machines (`dev@local/app-1`) that do not let it in yet; of a removed one, that still may.
    pub missing_on: Vec<String>,
}

/// What this person gives to a member, to be let in.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub identity: String,
    pub age: String,
    /// With a name.
    pub ssh: String,
    pub name: String,
}

#[derive(Debug, Serialize)]
pub struct Readable {
    pub instance: String,
    /// With this identity.
    pub readable: bool,
    /// A member of the team cannot read it yet.
    pub stale: bool,
}

impl Key {
    /// What it is called where it has no name.
    pub(crate) fn called(&self) -> String {
        if self.name.is_empty() { self.key.clone() } else { self.name.clone() }
    }
}

impl TeamKeys {
    /// Every key that is declared or in use, and what this identity can read.
    ///
    /// # Errors
    /// When the state, the file or the identity cannot be read.
    pub async fn list(&self) -> Result<Keys, Failure> {
        let team = members(&self.text)?;
        let you = public_keys(&self.identity)?;
        let sealed = self.sealed().await?;
        let identity = (!you.is_empty()).then(|| AgeIdentity::read(&self.identity)).transpose()?;
        let mut keys: Vec<Key> =
            team.iter().map(|m| self.key(&m.key, &m.name, true, &you)).collect();
        for key in sealed.iter().flat_map(|(_, sealed)| &sealed.recipients).chain(&you) {
            if !keys.iter().any(|k| same(&k.key, key)) {
                keys.push(self.key(key, "", false, &you));
            }
        }
        for key in &mut keys {
            let has = |list: &[String]| list.iter().any(|other| same(other, &key.key));
            let can = sealed.iter().filter(|(_, s)| has(&s.recipients));
            key.instances = can.map(|(name, _)| name.clone()).collect();
            key.removed = sealed.iter().any(|(_, s)| has(&s.removed));
        }
        self.with_actors(&mut keys, &you).await?;
        let instances = sealed
            .into_iter()
            .map(|(instance, sealed)| {
                let in_it = |key: &str, list: &[String]| list.iter().any(|k| same(k, key));
                let stale = team
                    .iter()
                    .any(|m| !in_it(&m.key, &sealed.recipients) && !in_it(&m.key, &sealed.removed));
                let readable = identity.as_ref().is_some_and(|i| sealed.open(i).is_ok());
                Readable { instance, readable, stale }
            })
            .collect();
        Ok(Keys { identity: self.identity.display().to_string(), you, keys, instances })
    }

    /// The key that `word` means: a key, a name, or the beginning of a key.
    ///
    /// # Errors
    /// When it means none, or several.
    pub async fn find(&self, word: &str) -> Result<Key, Failure> {
        let Keys { mut keys, .. } = self.list().await?;
        let own = |key: &Key| [Some(key.key.clone()), key.ssh.clone()].into_iter().flatten();
        let named = |key: &Key| !key.name.is_empty() && key.name == word;
        let fits = |key: &Key| own(key).any(|it| same(&it, word)) || named(key);
        let begins = |key: &Key| word.len() >= 8 && own(key).any(|it| it.starts_with(word));
        let exact: Vec<usize> = (0..keys.len()).filter(|&i| fits(&keys[i])).collect();
        let found: Vec<usize> = match exact.len() {
            0 => (0..keys.len()).filter(|&i| begins(&keys[i])).collect(),
            _ => exact,
        };
        match found.as_slice() {
            [one] => Ok(keys.swap_remove(*one)),
            [] => Err(Failure::new(
                Kind::Usage,
                "no-key",
                format!("no key or member `{word}`"),
                "`andamio key list` shows them",
            )),
            _ => Err(Failure::new(
                Kind::Usage,
                "several-keys",
                format!("`{word}` means {} keys", found.len()),
                "name one by its whole key, as `andamio key list --json` shows it",
            )),
        }
    }

    fn key(&self, key: &str, name: &str, team: bool, you: &[String]) -> Key {
        Key {
            key: key.to_owned(),
            name: name.to_owned(),
            team,
            you: you.iter().any(|own| same(own, key)),
            removed: false,
            instances: Vec::new(),
            ssh: None,
            purpose: Purpose::Team,
            missing_on: Vec::new(),
        }
    }

    /// Adds what the lists of actors say. Who was removed is left out as soon as every machine has heard of it.
    async fn with_actors(&self, keys: &mut Vec<Key>, you: &[String]) -> Result<(), Failure> {
        for instance in self.store.instances().await? {
            let told = Told::read(&self.store.instance(&instance)).await?;
            let (removed, active): (Vec<&Actor>, Vec<&Actor>) =
                told.actors.actors.iter().partition(|actor| actor.removed.is_some());
            for actor in active.into_iter().chain(removed) {
                let is_active = actor.removed.is_none();
                if !is_active && told.actors.standing(&actor.ssh) == Standing::Active {
                    continue;
                }
                let behind = told.behind_on(&actor.ssh);
                if !is_active && behind.is_empty() {
                    continue;
                }
                let fits = |key: &&mut Key| match &key.ssh {
                    Some(ssh) => same(ssh, &actor.ssh),
                    None => same(&key.key, &actor.age) || same(&key.key, &actor.ssh),
                };
                let place = match keys.iter_mut().find(fits) {
                    Some(key) => key,
                    None => {
                        let mut new = self.key(&actor.ssh, &actor.name, false, you);
                        new.removed = !is_active;
                        keys.push(new);
                        let Some(new) = keys.last_mut() else { continue };
                        new
                    }
                };
                place.ssh = Some(actor.ssh.clone());
                place.purpose = actor.purpose;
                if place.name.is_empty() {
                    place.name.clone_from(&actor.name);
                }
                let at = |machine: String| format!("{instance}/{machine}");
                place.missing_on.extend(behind.into_iter().map(at));
            }
        }
        Ok(())
    }

    /// The public keys of whoever calls.
    ///
    /// # Errors
    /// When there is no identity, or it cannot be read.
    pub fn show(&self) -> Result<Shown, Failure> {
        let me = self.me()?;
        let ssh = format!("{} {}", bare(me.key.public()), me.name);
        let identity = self.identity.display().to_string();
        Ok(Shown { identity, age: me.key.age, ssh, name: me.name })
    }

    /// The newest secrets of every instance that has any.
    async fn sealed(&self) -> Result<Vec<(String, Sealed)>, Failure> {
        let mut all = Vec::new();
        for name in self.store.instances().await? {
            if let Some(sealed) = Sealed::newest(&self.store.instance(&name)).await? {
                all.push((name, sealed));
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests;
