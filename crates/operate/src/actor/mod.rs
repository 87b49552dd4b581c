//! Actors: people and programs with an SSH key of their own, whom machines let in and whose signatures the ledger
//! believes. A numbered series of the state; every number is the whole list.
//!
//! A list counts for machines only when the instance's own key has signed it. Whoever reads the secrets has that key, and
//! could let anybody in anyway; who can only write the state cannot. `key remove` makes a new one, so that who was
//! removed signs no list any more.

pub(crate) mod heard;
mod key;

pub use key::new_identity;
pub(crate) use key::{ActorKey, OWN, beside, signed};

use crate::secret::{Secrets, bare, same};
use crate::team::members;
use crate::{Failure, Kind};
use andamio_engine::{Ledger, Store, Timestamp, now};
use andamio_remote::{KeyPair, is_signed};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

const SERIES: &str = "actors";
/// What signatures of lists are made for.
const LIST: &str = "andamio-actors";

/// What an actor is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    #[default]
    Team,
    /// Runs pipelines; may have no secrets to read.
    Runner,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Actor {
    pub(crate) name: String,
    /// `ssh-ed25519 AAAA…`.
    pub(crate) ssh: String,
    /// Whom secrets are encrypted to; empty for who reads none.
    #[serde(default)]
    pub(crate) age: String,
    #[serde(rename = "for", default)]
    pub(crate) purpose: Purpose,
    pub(crate) added: Timestamp,
    /// The newest entry of the ledger then: earlier ones it cannot have written.
    #[serde(default)]
    pub(crate) after: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<Timestamp>,
    /// The last entry of the ledger that it can have written. Numbers and not times decide: who signs says what time
    /// it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Actors {
    v: u32,
    /// 0: there is no list yet.
    pub(crate) number: u64,
    /// The instance's own public key at that time.
    pub(crate) operator: String,
    pub(crate) actors: Vec<Actor>,
    by: String,
    written: Timestamp,
    /// Of all the rest, as it is stored.
    #[serde(default)]
    signatures: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Unknown,
    Active,
    Removed,
}

/// Whoever calls, as lists name them.
#[derive(Clone)]
pub(crate) struct Me {
    pub(crate) key: ActorKey,
    pub(crate) name: String,
    /// `user@host`.
    pub(crate) by: String,
}

impl Actors {
    /// The newest list, whoever wrote it: for what needs no secret.
    pub(crate) async fn read(store: &Store) -> Result<Self, Failure> {
        match store.newest(SERIES).await? {
            Some((number, body)) => parse(number, &body),
            None => Ok(Self::none()),
        }
    }

    /// The newest list, for what is done with it.
    ///
    /// # Errors
    /// When the instance's own key has not signed it.
    pub(crate) async fn trusted(store: &Store, secrets: &Secrets) -> Result<Self, Failure> {
        let Some((number, body)) = store.newest(SERIES).await? else { return Ok(Self::none()) };
        let list = parse(number, &body)?;
        let text = message(serde_json::from_slice(&body).unwrap_or_default());
        let own = secrets.ssh_pair();
        let good = list.number == number
            && list.signatures.iter().any(|it| is_signed(&own.public, LIST, &text, it));
        if good { Ok(list) } else { Err(untrusted(number)) }
    }

    async fn at(store: &Store, number: u64) -> Result<Option<Self>, Failure> {
        store.find(SERIES, number).await?.map(|body| parse(number, &body)).transpose()
    }

    fn none() -> Self {
        let (operator, by) = (String::new(), String::new());
        let written = Timestamp::UNIX_EPOCH;
        Self { v: 1, number: 0, operator, actors: Vec::new(), by, written, signatures: Vec::new() }
    }

    pub(crate) fn active(&self) -> impl Iterator<Item = &Actor> {
        self.actors.iter().filter(|actor| actor.removed.is_none())
    }

    pub(crate) fn standing(&self, ssh: &str) -> Standing {
        let mut found = Standing::Unknown;
        for actor in self.actors.iter().filter(|actor| same(&actor.ssh, ssh)) {
            match actor.removed {
                None => return Standing::Active,
                Some(_) => found = Standing::Removed,
            }
        }
        found
    }

    /// Could the owner of this key have written the entry with this number?
    pub(crate) fn could_write(&self, ssh: &str, entry: u64) -> bool {
        let fits =
            |actor: &&Actor| actor.after < entry && actor.until.is_none_or(|until| entry <= until);
        self.actors.iter().filter(fits).any(|actor| same(&actor.ssh, ssh))
    }

    /// Whose key it is, whether it still counts or not.
    pub(crate) fn name(&self, ssh: &str) -> Option<&str> {
        let of = self.actors.iter().rev().find(|actor| same(&actor.ssh, ssh))?;
        Some(&of.name)
    }

    /// Lines of `authorized_keys`, the same from whoever renders them: the instance's own and those of its actors.
    pub(crate) fn lines(&self, secrets: &Secrets, more: Option<&Me>) -> Vec<String> {
        let line = |ssh: &str, name: &str| {
            let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
            let name: String = name.chars().map(plain).collect();
            format!("{} andamio-actor:{name}", bare(ssh))
        };
        let mut lines = vec![secrets.ssh_public()];
        lines.extend(self.active().map(|actor| line(&actor.ssh, &actor.name)));
        lines.extend(more.map(|me| line(me.key.public(), &me.name)));
        lines.sort();
        lines
    }

    /// Adds a key, which entries of the ledger after the newest one may be signed with. False when it was there.
    pub(crate) async fn add(&mut self, store: &Store, new: Actor) -> Result<bool, Failure> {
        if self.standing(&new.ssh) == Standing::Active {
            return Ok(false);
        }
        let after = Ledger::new(store.clone()).last().await?;
        self.actors.push(Actor { after, ..new });
        Ok(true)
    }

    /// The list with the caller's key in it. One that was removed stays so.
    pub(crate) async fn enrolled(
        store: &Store,
        secrets: &Secrets,
        me: &Me,
    ) -> Result<Self, Failure> {
        loop {
            let mut list = Self::trusted(store, secrets).await?;
            match list.standing(me.key.public()) {
                Standing::Active => return Ok(list),
                Standing::Removed => return Err(removed(me)),
                Standing::Unknown => {
                    list.add(store, me.actor()).await?;
                }
            }
            if let Some(list) = list.write(store, &me.by, &[&secrets.ssh_pair()]).await? {
                return Ok(list);
            }
        }
    }

    /// Makes it the newest; the first of the instance's keys is named in it. `None` when somebody wrote one since it was
    /// read.
    pub(crate) async fn write(
        mut self,
        store: &Store,
        by: &str,
        keys: &[&KeyPair],
    ) -> Result<Option<Self>, Failure> {
        self.number += 1;
        self.operator = keys.first().map(|pair| pair.public.clone()).unwrap_or_default();
        (self.by, self.written) = (by.to_owned(), now());
        let fault = "this is a fault of Andamio: report it";
        let value = serde_json::to_value(&self)
            .map_err(|e| Failure::error(Kind::Failed, "actors", &e, fault))?;
        let text = message(value);
        let signed = keys.iter().map(|pair| pair.sign(LIST, &text)).collect::<Result<_, _>>();
        self.signatures = signed?;
        let body = serde_json::to_vec_pretty(&self).unwrap_or_default();
        Ok(store.create(SERIES, self.number, body).await?.then_some(self))
    }
}

impl Actor {
    pub(crate) fn new(name: &str, ssh: &str, age: &str, purpose: Purpose) -> Self {
        let (name, ssh, age) = (name.to_owned(), bare(ssh), age.to_owned());
        Self { name, ssh, age, purpose, added: now(), after: 0, removed: None, until: None }
    }
}

fn parse(number: u64, body: &[u8]) -> Result<Actors, Failure> {
    serde_json::from_slice(body).map_err(|e| {
        let message = format!("{SERIES} {number} in the state is damaged: {e}");
        Failure::new(Kind::Failed, "actors", message, UNTRUSTED)
    })
}

/// What is signed: all of it as it is stored, so that fields of later versions are covered in earlier ones too.
fn message(mut list: Value) -> Vec<u8> {
    if let Some(fields) = list.as_object_mut() {
        fields.shift_remove("signatures");
    }
    serde_json::to_vec(&list).unwrap_or_default()
}

const UNTRUSTED: &str = "put that object back from a copy of the state; where a member ran `andamio key remove` in this \
                         moment, run the same command again";

fn untrusted(number: u64) -> Failure {
    let message = format!(
        "{SERIES} {number} in the state says whom machines let in, and the instance's own key has not signed it: \
         somebody changed it who cannot read the secrets"
    );
    Failure::new(Kind::Refused, "actors", message, UNTRUSTED)
}

impl Me {
    /// Whoever has this identity, with the name that the team's list has for their key.
    pub(crate) fn find(identity: &Path, file: &str, by: &str) -> Result<Option<Self>, Failure> {
        let Some(key) = ActorKey::find(identity)? else { return Ok(None) };
        let named = members(file)?.into_iter().find(|m| same(&m.key, &key.age)).map(|m| m.name);
        let user = by.split('@').next().unwrap_or_default();
        let name = named.filter(|name| !name.is_empty()).unwrap_or_else(|| user.to_owned());
        Ok(Some(Self { key, name, by: by.to_owned() }))
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor::new(&self.name, self.key.public(), &self.key.age, Purpose::Team)
    }
}

pub(crate) fn removed(me: &Me) -> Failure {
    let message =
        format!("your key {} was taken away from this environment", bare(me.key.public()));
    let help = "ask a member of the team to add it again: `andamio key show` prints it, `andamio key add` takes it";
    Failure::new(Kind::Refused, "actor-removed", message, help)
}

#[cfg(test)]
mod tests;
