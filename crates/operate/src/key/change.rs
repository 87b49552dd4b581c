//! Adding a key and taking one away.

use super::open::{Open, done};
use super::{Key, Member, Newcomer, TeamKeys, members, with, without};
use crate::actor::{Actor, Actors, Me, Purpose, Standing, heard::Told};
use crate::secret::{Secrets, public_keys, same};
use crate::{Failure, Kind};
use andamio_engine::{Ledger, Store, now};
use andamio_remote::KeyPair;
use andamio_spec::parse;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

/// What was done.
#[derive(Debug)]
pub struct Changed {
    /// Members that came into, or went from, andamio.toml.
    pub members: Vec<Member>,
    /// Instances whose secrets are encrypted anew, or whose list of actors was looked at.
    pub instances: Vec<String>,
    /// Instances with machines that have not heard of it yet: the next `up` tells them.
    pub missing_on: Vec<(String, Vec<String>)>,
}

/// What taking a key away means, before it is done.
#[derive(Debug)]
pub struct Removal {
    pub key: Key,
    /// Instances and the names of the secrets that its owner has been able to read.
    pub seen: Vec<(String, Vec<String>)>,
}

impl TeamKeys {
    /// Lets the owner of public keys read the secrets of every instance, and machines let them in.
    ///
    /// # Errors
    /// When they are no public keys, this identity cannot read the secrets itself, or an instance is locked.
    pub async fn add(&self, new: impl Into<Newcomer>) -> Result<Changed, Failure> {
        let new = new.into();
        new.check()?;
        let own = self.own()?;
        let open = self.open("key add").await?;
        if new.recipient.is_none() && open.is_empty() {
            return Err(Failure::new(
                Kind::Usage,
                "key",
                "there is no environment yet that would let it in",
                "bring one up first; a runner's key is added to those that are there",
            ));
        }
        let before = members(&self.text)?;
        let member = new.member();
        // Whoever invites others stands in the list that everybody sees.
        let inviting = own.filter(|_| member.is_some());
        let mut come: Vec<Member> = member.iter().cloned().collect();
        come.extend(inviting.filter(|own| member.as_ref().is_none_or(|m| !same(&own.key, &m.key))));
        come.retain(|m| !before.iter().any(|b| same(&b.key, &m.key)));
        let mut wanted = before;
        wanted.extend(come.iter().cloned());
        let mut open = open;
        let result = async {
            self.write(&with(&self.text, &come)?)?;
            for one in &mut open {
                self.add_to(one, &new, &wanted).await?;
            }
            Ok(())
        };
        let result = result.await;
        let instances = done(open, result).await?;
        let missing_on = self.missing_on().await?;
        Ok(Changed { members: come, instances, missing_on })
    }

    async fn add_to(&self, one: &mut Open, new: &Newcomer, team: &[Member]) -> Result<(), Failure> {
        let me = self.me()?;
        let mut secrets = one.secrets.clone();
        if let Some(key) = &new.recipient {
            secrets.removed.retain(|removed| !same(removed, key));
        }
        let sealed = self.seal(one, secrets, team).await?;
        let listed = one.change(&me, None, async |list, store| {
            let mut changed = enrol(list, store, &me).await?;
            for actor in comes_back(list, new) {
                changed |= list.add(store, actor).await?;
            }
            Ok(changed)
        });
        if listed.await? || sealed {
            one.record(&me, &new.called()).await?;
        }
        Ok(())
    }

    /// What `remove` would mean.
    ///
    /// # Errors
    /// When there is no such key, nobody else could read the secrets, or this identity cannot.
    pub async fn removal(&self, word: &str) -> Result<Removal, Failure> {
        let key = self.find(word).await?;
        let identity = self.reader().await?;
        let mut seen = Vec::new();
        for (name, sealed) in self.sealed().await? {
            let left = sealed.recipients.iter().filter(|k| !same(k, &key.key)).count();
            if left == 0 {
                return Err(last(&name));
            }
            let saw = sealed.recipients.iter().any(|k| same(k, &key.key));
            if let Some(identity) = identity.as_ref().filter(|_| saw) {
                let secrets = sealed.open(identity)?;
                seen.push((name, secrets.values().keys().cloned().collect()));
            }
        }
        if key.team && members(&self.text)?.len() == 1 {
            return Err(last("this project"));
        }
        Ok(Removal { key, seen })
    }

    /// Takes a key away: from andamio.toml, from every instance and from their lists of actors. An instance whose secrets
    /// its owner could read gets an SSH key of its own anew.
    ///
    /// # Errors
    /// When this identity cannot read the secrets, or an instance is locked.
    pub async fn remove(&self, key: &Key) -> Result<Changed, Failure> {
        let mut open = self.open("key remove").await?;
        let is_it = |m: &Member| same(&m.key, &key.key);
        let (gone, rest): (Vec<Member>, Vec<Member>) =
            members(&self.text)?.into_iter().partition(is_it);
        let result = async {
            self.write(&without(&self.text, &key.key)?)?;
            for one in &mut open {
                self.remove_from(one, key, &rest).await?;
            }
            Ok(())
        };
        let result = result.await;
        let instances = done(open, result).await?;
        Ok(Changed { members: gone, instances, missing_on: self.missing_on().await? })
    }

    /// The list is signed by both keys and comes first: killed between the two, the secrets have the former key, which has
    /// signed it too, and the same command again makes another one.
    async fn remove_from(&self, one: &mut Open, key: &Key, team: &[Member]) -> Result<(), Failure> {
        let me = self.me()?;
        let read = one.secrets.recipients.iter().any(|k| same(k, &key.key));
        let next = if read { Some(KeyPair::generate()?) } else { None };
        let listed = one.change(&me, next.as_ref(), async |list, store| {
            let mut changed = enrol(list, store, &me).await?;
            let last = Ledger::new(store.clone()).last().await?;
            for actor in list.actors.iter_mut().filter(|a| a.removed.is_none() && is_of(a, key)) {
                actor.removed = Some(now());
                // The entry that says so is the last one of who takes their own key away.
                actor.until = Some(last + u64::from(same(&actor.ssh, me.key.public())));
                changed = true;
            }
            Ok(changed)
        });
        let listed = listed.await?;
        let mut secrets = one.secrets.clone();
        secrets.recipients.retain(|k| !same(k, &key.key));
        // Also where it could not read yet, or another checkout's older `team` would let it.
        if (read || key.purpose == Purpose::Team)
            && !secrets.removed.iter().any(|k| same(k, &key.key))
        {
            secrets.removed.push(key.key.clone());
        }
        if let Some(next) = &next {
            secrets.replace_ssh(next);
        }
        if self.seal(one, secrets, team).await? || listed {
            one.record(&me, &key.called()).await?;
        }
        Ok(())
    }

    /// The key of whoever runs this, with the name that the machine knows.
    fn own(&self) -> Result<Option<Member>, Failure> {
        let name = self.by.split('@').next().unwrap_or_default().to_owned();
        Ok(public_keys(&self.identity)?.into_iter().next().map(|key| Member { key, name }))
    }

    /// Encrypts anew where something changes; true when it does.
    async fn seal(
        &self,
        one: &mut Open,
        secrets: Secrets,
        team: &[Member],
    ) -> Result<bool, Failure> {
        let team: Vec<String> = team.iter().map(|m| m.key.clone()).collect();
        let readers = secrets.readers(&team, &self.identity)?;
        let changed = secrets.removed != one.secrets.removed
            || readers.names() != one.secrets.recipients
            || secrets.values() != one.secrets.values();
        if changed {
            secrets.save(&one.store, &readers).await?;
            one.secrets = secrets;
        }
        Ok(changed)
    }

    /// Machines that let others in than the newest list says, by instance.
    async fn missing_on(&self) -> Result<Vec<(String, Vec<String>)>, Failure> {
        let mut all = Vec::new();
        for name in self.store.instances().await? {
            let behind = Told::read(&self.store.instance(&name)).await?.behind();
            if !behind.is_empty() {
                all.push((name, behind));
            }
        }
        Ok(all)
    }

    /// The file whole or not at all, and only what can be read again.
    fn write(&self, text: &str) -> Result<(), Failure> {
        if text == self.text {
            return Ok(());
        }
        let name = self.file.display().to_string();
        if let Some(finding) = parse(&name, text).findings.iter().find(|f| f.is_error()) {
            let help = "edit `team` of [project] by hand, then run this again";
            return Err(Failure::new(Kind::Failed, "team", &finding.message, help));
        }
        let write = || {
            let file = self.file.canonicalize()?;
            let new = file.with_extension(format!("toml.{}", std::process::id()));
            let mut out = fs::File::create(&new)?;
            out.write_all(text.as_bytes())?;
            let mode = fs::metadata(&file)?.permissions().mode();
            out.set_permissions(fs::Permissions::from_mode(mode))?;
            out.sync_all()?;
            fs::rename(new, file)
        };
        write().map_err(|e: std::io::Error| {
            let message = format!("cannot write {name}: {e}");
            Failure::new(Kind::Failed, "team", message, "make the file and its folder writable")
        })
    }
}

/// Whoever changes the list stands in it, so that the entry that says so can be believed.
async fn enrol(list: &mut Actors, store: &Store, me: &Me) -> Result<bool, Failure> {
    if list.standing(me.key.public()) != Standing::Unknown {
        return Ok(false);
    }
    list.add(store, me.actor()).await
}

/// The actor that is added; or those that were taken away together with the recipient that comes back.
fn comes_back(list: &Actors, new: &Newcomer) -> Vec<Actor> {
    let recipient = new.recipient.as_deref();
    if let Some(ssh) = &new.ssh {
        return vec![Actor::new(&new.called(), ssh, recipient.unwrap_or_default(), new.purpose)];
    }
    let removed = list.actors.iter().filter(|actor| actor.removed.is_some());
    let theirs = removed.filter(|actor| recipient.is_some_and(|key| same(key, &actor.age)));
    theirs.map(|a| Actor::new(&a.name, &a.ssh, &a.age, a.purpose)).collect()
}

fn is_of(actor: &Actor, key: &Key) -> bool {
    same(&actor.age, &key.key)
        || same(&actor.ssh, &key.key)
        || key.ssh.as_ref().is_some_and(|ssh| same(&actor.ssh, ssh))
}

fn last(what: &str) -> Failure {
    Failure::new(
        Kind::Refused,
        "last-key",
        format!("this is the only key that can read the secrets of {what}"),
        "add another one first: andamio key add KEY --name NAME",
    )
}
