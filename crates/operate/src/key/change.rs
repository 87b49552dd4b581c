//! Adding a key and taking one away.

use super::{Key, Member, TeamKeys, members, with, without};
use crate::secret::{AgeIdentity, Recipients, Sealed, Secrets, public_keys, same};
use crate::{Failure, Kind};
use andamio_engine::{Holder, Ledger, Lock, RunRecord, RunStatus, Scope, Store};
use andamio_spec::parse;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

/// What was done.
#[derive(Debug)]
pub struct Changed {
    /// Members that came into, or went from, andamio.toml.
    pub members: Vec<Member>,
    /// Instances whose secrets are encrypted anew.
    pub instances: Vec<String>,
}

/// What taking a key away means, before it is done.
#[derive(Debug)]
pub struct Removal {
    pub key: Key,
    /// Instances and the names of the secrets that its owner has been able to read.
    pub seen: Vec<(String, Vec<String>)>,
}

/// An instance whose lock is held and whose secrets are open.
struct Open {
    name: String,
    store: Store,
    lock: Lock,
    secrets: Secrets,
}

impl TeamKeys {
    /// Lets the owner of a public key read the secrets of every instance.
    ///
    /// # Errors
    /// When it is no public key, this identity cannot read them itself, or an instance is locked.
    pub async fn add(&self, member: &Member) -> Result<Changed, Failure> {
        check(member)?;
        let own = self.own()?;
        let open = self.open("key add").await?;
        let mut new = vec![member.clone()];
        // Whoever invites others stands in the list that everybody sees.
        new.extend(own.into_iter().filter(|own| !same(&own.key, &member.key)));
        let before = members(&self.text)?;
        new.retain(|m| !before.iter().any(|b| same(&b.key, &m.key)));
        let mut wanted: Vec<Member> = before;
        wanted.extend(new.iter().cloned());
        let result = async {
            self.write(&with(&self.text, &new)?)?;
            self.seal(&open, &wanted, |secrets| {
                secrets.removed.retain(|key| !same(key, &member.key));
            })
            .await
        };
        let result = result.await;
        Ok(Changed { members: new, instances: done(open, result).await? })
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

    /// Takes a key away: from andamio.toml and from every instance.
    ///
    /// # Errors
    /// When this identity cannot read the secrets, or an instance is locked.
    pub async fn remove(&self, key: &Key) -> Result<Changed, Failure> {
        let open = self.open("key remove").await?;
        let gone: Vec<Member> =
            members(&self.text)?.into_iter().filter(|m| same(&m.key, &key.key)).collect();
        let rest: Vec<Member> =
            members(&self.text)?.into_iter().filter(|m| !same(&m.key, &key.key)).collect();
        let result = async {
            self.write(&without(&self.text, &key.key)?)?;
            self.seal(&open, &rest, |secrets| {
                secrets.recipients.retain(|k| !same(k, &key.key));
                if !secrets.removed.iter().any(|k| same(k, &key.key)) {
                    secrets.removed.push(key.key.clone());
                }
            })
            .await
        };
        let result = result.await;
        Ok(Changed { members: gone, instances: done(open, result).await? })
    }

    /// The key of whoever runs this, with the name that the machine knows.
    fn own(&self) -> Result<Option<Member>, Failure> {
        let name = self.by.split('@').next().unwrap_or_default().to_owned();
        Ok(public_keys(&self.identity)?.into_iter().next().map(|key| Member { key, name }))
    }

    /// The identity, needed as soon as there is anything to read.
    async fn reader(&self) -> Result<Option<AgeIdentity>, Failure> {
        if self.sealed().await?.is_empty() {
            return Ok(None);
        }
        AgeIdentity::read(&self.identity).map(Some)
    }

    /// Locks all instances and opens their secrets; nothing is changed when one cannot be.
    async fn open(&self, verb: &str) -> Result<Vec<Open>, Failure> {
        let Some(identity) = self.reader().await? else { return Ok(Vec::new()) };
        let mut open: Vec<Open> = Vec::new();
        for (name, _) in self.sealed().await? {
            let one = async {
                let store = self.store.instance(&name);
                let purpose = format!("{verb} {name}");
                let holder = Holder::current(&self.by);
                let (lock, _) = Lock::take(&store, Scope::Converge, holder, &purpose, None).await?;
                // What was read before the lock may be old.
                let secrets = match Sealed::newest(&store).await {
                    Ok(Some(sealed)) => sealed.open(&identity),
                    Ok(None) => Ok(Secrets::default()),
                    Err(failure) => Err(failure),
                };
                match secrets {
                    Ok(secrets) => Ok(Open { name: name.clone(), store, lock, secrets }),
                    Err(mut failure) => {
                        let _ = lock.release().await;
                        failure.error.message = format!("{name}: {}", failure.error.message);
                        Err(failure)
                    }
                }
            };
            match one.await {
                Ok(one) => open.push(one),
                Err(failure) => {
                    release(open).await;
                    return Err(failure);
                }
            }
        }
        Ok(open)
    }

    async fn seal(
        &self,
        open: &[Open],
        team: &[Member],
        change: impl Fn(&mut Secrets),
    ) -> Result<(), Failure> {
        let team: Vec<String> = team.iter().map(|m| m.key.clone()).collect();
        for one in open {
            let mut secrets = one.secrets.clone();
            change(&mut secrets);
            let readers = secrets.readers(&team, &self.identity)?;
            let removed = secrets.removed != one.secrets.removed;
            if readers.names() == one.secrets.recipients && !removed {
                continue;
            }
            secrets.save(&one.store, &readers).await?;
            self.record(one).await?;
        }
        Ok(())
    }

    /// Who could read the secrets when is something that an audit asks.
    async fn record(&self, one: &Open) -> Result<(), Failure> {
        let purpose = one.lock.purpose();
        let verb = purpose.rsplit_once(' ').map_or(purpose, |(verb, _)| verb);
        let (env, place) = one.name.split_once('@').unwrap_or((&one.name, "local"));
        let record = RunRecord::begin(verb, env, place, &self.by).end(RunStatus::Ok, 1, "");
        Ledger::new(one.store.clone()).append(record).await?;
        Ok(())
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

async fn done(open: Vec<Open>, result: Result<(), Failure>) -> Result<Vec<String>, Failure> {
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

fn last(what: &str) -> Failure {
    Failure::new(
        Kind::Refused,
        "last-key",
        format!("this is the only key that can read the secrets of {what}"),
        "add another one first: andamio key add KEY --name NAME",
    )
}

/// Says what is wrong with a key before anything is locked. Never repeats a private key.
fn check(member: &Member) -> Result<(), Failure> {
    let usage = |message: &str, help: &str| Err(Failure::new(Kind::Usage, "key", message, help));
    if member.key.to_ascii_uppercase().contains("AGE-SECRET-KEY-")
        || member.key.contains("PRIVATE KEY")
    {
        return usage(
            "this is a private key, which nobody else may see",
            "give the public one (age1…); make a new pair if the private one was shown to others",
        );
    }
    if member.name.chars().any(char::is_control) || member.name.chars().count() > 64 {
        return usage("a name is one line of at most 64 characters", "for example --name Marta");
    }
    let ssh = member.key.starts_with("ssh-") && !member.key.starts_with("ssh-ed25519 ");
    if ssh || Recipients::new(std::slice::from_ref(&member.key)).is_err() {
        return usage(
            "this is no public key that secrets can be encrypted to",
            "give an age key (age1…) or a line \"ssh-ed25519 AAAA…\"",
        );
    }
    Ok(())
}
