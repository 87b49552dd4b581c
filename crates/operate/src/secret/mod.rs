//! Passwords and keys of an instance: generated once, kept in the state encrypted with age to the
//! team's recipients, readable only with an identity.

mod certificate;
mod identity;
mod recipients;

pub(crate) use identity::new_identity;
pub(crate) use identity::{AgeIdentity, create};
pub use identity::{public_keys, recovery_key};
pub(crate) use recipients::{Recipients, bare, same};

use crate::{Failure, Kind};
use andamio_converge::{SecretKind, SecretSpec};
use andamio_engine::{ErrorReport, Store, now};
use andamio_remote::{KeyPair, SshKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// How messages call the key that Andamio made for an instance.
pub(crate) const OWN: &str = "the instance's own";

const SERIES: &str = "secrets";
/// The operator's SSH key, private part, and its public line.
const SSH_PRIVATE: &str = "ssh-operator";
const SSH_PUBLIC: &str = "ssh-operator-public";
/// Private parts of those before it, newest first: for machines that have not heard of the new one. Nothing that is
/// rendered lets them in.
const SSH_FORMER: &str = "ssh-operator-former";
/// Who was not told of three changes is opened by an actor's own key, or by hand; each key that is tried in vain counts at
/// a server.
const FORMER_KEPT: usize = 3;

/// An authority that signed for services itself, and cannot sign for machines. Changing it under a running cluster
/// would split those who believe the new one from those who do not yet.
const FORMER_AUTHORITY: &str = "tls-authority";

const DAMAGED: &str =
    "the newest object of `secrets` in the state is damaged: put it back from a copy of the state";

/// Secrets as the state has them.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Sealed {
    v: u32,
    pub(crate) recipients: Vec<String>,
    /// Keys that `key remove` took away, so that another checkout's older `team` does not bring
    /// them back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) removed: Vec<String>,
    /// Name → what changes with its value and says nothing of it: so that machines can be asked whether they have it
    /// by who cannot read it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    marks: BTreeMap<String, String>,
    /// Armored age file; its content is a JSON object of names and values.
    age: String,
}

impl Sealed {
    /// The newest of an instance.
    pub(crate) async fn newest(store: &Store) -> Result<Option<Self>, Failure> {
        let Some((_, body)) = store.newest(SERIES).await? else { return Ok(None) };
        serde_json::from_slice(&body)
            .map(Some)
            .map_err(|e| Failure::error(Kind::Failed, "secrets", &e, DAMAGED))
    }

    pub(crate) fn open(self, identity: &AgeIdentity) -> Result<Secrets, Failure> {
        let plain = identity.open(&self.age)?;
        let values = serde_json::from_slice(&plain)
            .map_err(|e| Failure::error(Kind::Failed, "secrets", &e, DAMAGED))?;
        Ok(Secrets { values, ..self.closed() })
    }

    /// What everybody can read of it.
    fn closed(self) -> Secrets {
        let values = BTreeMap::new();
        Secrets { values, marks: self.marks, recipients: self.recipients, removed: self.removed }
    }
}

/// Decrypted secrets of an instance. Never printed: `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeMap<String, String>,
    marks: BTreeMap<String, String>,
    /// Who could read what was loaded.
    pub(crate) recipients: Vec<String>,
    pub(crate) removed: Vec<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Secrets {
    /// What the state has, decrypted; empty when it has none.
    pub(crate) async fn load(store: &Store, identity: &Path) -> Result<Self, Failure> {
        match Sealed::newest(store).await? {
            Some(sealed) => sealed.open(&AgeIdentity::read(identity)?),
            None => Ok(Self::default()),
        }
    }

    /// Without values, for who cannot read them and only looks: nothing is made up. `public`: the instance's own SSH
    /// key, as the list of actors has it.
    pub(crate) async fn closed(store: &Store, public: &str) -> Result<Self, Failure> {
        let mut closed = Sealed::newest(store).await?.map(Sealed::closed).unwrap_or_default();
        closed.values.insert(SSH_PUBLIC.to_owned(), public.to_owned());
        Ok(closed)
    }

    /// Changed with each value, and nobody's secret.
    pub(crate) fn marks(&self) -> &BTreeMap<String, String> {
        &self.marks
    }

    fn put(&mut self, name: &str, value: String) {
        if self.values.get(name) != Some(&value) {
            self.marks.insert(name.to_owned(), format!("{:x}", now().as_millisecond()));
            self.values.insert(name.to_owned(), value);
        }
    }

    /// Who shall be able to read them: the team of `andamio.toml`, whoever could before, and whoever
    /// writes them now. Only `key remove` takes somebody away: a checkout with an older
    /// `andamio.toml` neither locks a member out nor lets a former one in.
    pub(crate) fn readers(&self, team: &[String], identity: &Path) -> Result<Recipients, Failure> {
        let mut names: Vec<String> = Vec::new();
        for key in team.iter().chain(&self.recipients).chain(&public_keys(identity)?) {
            let has = |list: &[String]| list.iter().any(|other| same(other, key));
            if !has(&names) && !has(&self.removed) {
                names.push(key.clone());
            }
        }
        Recipients::new(&names)
    }

    /// Do machines believe an authority that an earlier version made?
    ///
    /// # Errors
    /// When they do.
    pub(crate) fn check_authority(&self) -> Result<(), Failure> {
        if !self.values.contains_key(FORMER_AUTHORITY) {
            return Ok(());
        }
        let message = "the environment's authority was made by an earlier version, and cannot sign for \
                       machines that renew their certificates themselves";
        let help = "remove the environment with `andamio down` and bring it up again";
        Err(ErrorReport::new("certificate", message, help).into())
    }

    /// Forgets such an authority and what it has signed: no machine is left that believes it.
    pub(crate) fn forget_former_authority(&mut self) {
        if self.values.remove(FORMER_AUTHORITY).is_some() {
            let of_now = ["tls-root", "tls-signer-"];
            let former = |name: &str| {
                name.starts_with("tls-") && !of_now.iter().any(|now| name.starts_with(now))
            };
            self.values.retain(|name, _| !former(name));
        }
    }

    /// Adds what is missing, in memory; true when anything was.
    pub(crate) fn complete(&mut self, wanted: &[SecretSpec]) -> Result<bool, Failure> {
        let mut added = false;
        let (mut authority, mut signs_anew) = (String::new(), false);
        for secret in wanted {
            let known = self.values.get(&secret.name);
            let value = match secret.kind {
                SecretKind::Authority => {
                    let fits = known.filter(|text| certificate::serves(text, &secret.hosts));
                    let found = fits.cloned();
                    authority = match found.clone() {
                        Some(found) => found,
                        None => certificate::authority(&secret.hosts)?,
                    };
                    signs_anew = found.is_none();
                    signs_anew.then(|| authority.clone())
                }
                // Whoever was signed by another authority is signed anew: it comes before them.
                SecretKind::Signer => match known {
                    Some(text) if !signs_anew && certificate::serves(text, &secret.hosts) => None,
                    _ => Some(certificate::signer(&secret.hosts, &authority)?),
                },
                _ if known.is_some() => None,
                SecretKind::Password => Some(password()?),
                SecretKind::Account => Some(certificate::account()?),
                SecretKind::Asked => None,
                SecretKind::Hex32 | SecretKind::Given => Some(hex::encode(random::<32>()?)),
            };
            if let Some(value) = value {
                added = true;
                self.put(&secret.name, value);
            }
        }
        if !self.values.contains_key(SSH_PRIVATE) {
            let pair = KeyPair::generate()?;
            self.put(SSH_PRIVATE, pair.private);
            self.put(SSH_PUBLIC, pair.public);
            added = true;
        }
        Ok(added)
    }

    /// Encrypts to the recipients and appends to the state.
    pub(crate) async fn save(&self, store: &Store, recipients: &Recipients) -> Result<(), Failure> {
        let marks = self.marks.iter().filter(|(name, _)| self.values.contains_key(*name));
        let plain = serde_json::to_vec(&self.values).unwrap_or_default();
        let sealed = Sealed {
            v: 1,
            recipients: recipients.names(),
            removed: self.removed.clone(),
            marks: marks.map(|(name, mark)| (name.clone(), mark.clone())).collect(),
            age: recipients.seal(&plain)?,
        };
        store.append(SERIES, serde_json::to_vec_pretty(&sealed).unwrap_or_default()).await?;
        Ok(())
    }

    pub(crate) fn set(&mut self, name: &str, value: Option<String>) {
        match value {
            Some(value) => self.put(name, value),
            None => drop(self.values.remove(name)),
        }
    }

    /// Forgets those whose name does not fit.
    pub(crate) fn retain(&mut self, fits: impl Fn(&str) -> bool) {
        self.values.retain(|name, _| fits(name));
    }

    pub(crate) fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// Were they read from the state? Else they are made up in memory.
    pub(crate) fn are_stored(&self) -> bool {
        !self.recipients.is_empty()
    }

    /// Keys that open machines: the instance's own, and those before it.
    pub(crate) fn ssh_identities(&self) -> Result<Vec<SshKey>, Failure> {
        let own = self.values.get(SSH_PRIVATE).map_or("", String::as_str);
        let former = self.former();
        let texts = std::iter::once(own).chain(former.iter().map(String::as_str));
        // Without values there is none.
        let texts = texts.filter(|text| !text.is_empty());
        texts
            .map(|text| SshKey::parse(text, OWN))
            .collect::<Result<_, _>>()
            .map_err(|e| Failure::error(Kind::Failed, "secrets", &e, DAMAGED))
    }

    fn former(&self) -> Vec<String> {
        let text = self.values.get(SSH_FORMER).map_or("[]", String::as_str);
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The instance's own key.
    pub(crate) fn ssh_pair(&self) -> KeyPair {
        let value = |name| self.values.get(name).cloned().unwrap_or_default();
        KeyPair { private: value(SSH_PRIVATE), public: value(SSH_PUBLIC) }
    }

    /// Gives the instance another key; the one it had is kept only to connect with.
    pub(crate) fn replace_ssh(&mut self, new: &KeyPair) {
        let mut former = self.former();
        former.insert(0, self.ssh_pair().private);
        former.truncate(FORMER_KEPT);
        let former = serde_json::to_string(&former).unwrap_or_default();
        self.put(SSH_FORMER, former);
        self.put(SSH_PRIVATE, new.private.clone());
        self.put(SSH_PUBLIC, new.public.clone());
    }

    /// Line for `authorized_keys`.
    pub(crate) fn ssh_public(&self) -> String {
        let key = self.values.get(SSH_PUBLIC).map_or("", String::as_str);
        format!("{key} andamio-operator")
    }
}

/// 32 letters and digits: 190 bits, and nothing that needs quoting anywhere.
fn password() -> Result<String, Failure> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut password = String::new();
    while password.len() < 32 {
        for byte in random::<64>()? {
            // 248 is the largest multiple of 62 below 256: no letter is likelier than another.
            if byte < 248 && password.len() < 32 {
                password.push(char::from(ALPHABET[usize::from(byte % 62)]));
            }
        }
    }
    Ok(password)
}

fn random<const N: usize>() -> Result<[u8; N], ErrorReport> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| ErrorReport::new("random", e, "the system has no randomness to give"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, kind: SecretKind) -> SecretSpec {
        SecretSpec { name: name.to_owned(), kind, hosts: Vec::new() }
    }

    #[tokio::test]
    async fn secrets_are_made_once_and_survive_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::directory(folder.path()).unwrap().instance("dev@local");
        let file = folder.path().join("identity.txt");
        let recipient = new_identity(&file).unwrap();
        let recipients = Recipients::new(&[recipient]).unwrap();
        let mut secrets = Secrets::load(&store, &file).await.unwrap();
        let names = [wanted("a", SecretKind::Password), wanted("KEY", SecretKind::Given)];
        assert!(secrets.complete(&names).unwrap());
        assert!(!secrets.complete(&names).unwrap());
        secrets.save(&store, &recipients).await.unwrap();
        let again = Secrets::load(&store, &file).await.unwrap();
        assert_eq!(again.values, secrets.values);
        assert_eq!(again.values["a"].len(), 32);
        let stored = store.newest(SERIES).await.unwrap().unwrap().1;
        assert!(!String::from_utf8(stored).unwrap().contains(&again.values["a"]));
        // Whoever cannot read them learns when one changes, and nothing else.
        let closed = Secrets::closed(&store, "ssh-ed25519 AAAA").await.unwrap();
        assert_eq!((closed.marks(), closed.values.len()), (secrets.marks(), 1));
        assert!(closed.are_stored() && closed.ssh_identities().unwrap().is_empty());
        let mut changed = again.clone();
        changed.set("a", Some("another".to_owned()));
        changed.set("KEY", again.values.get("KEY").cloned());
        assert_ne!(changed.marks["a"], closed.marks["a"]);
        assert_eq!(changed.marks["KEY"], closed.marks["KEY"]);
        assert_eq!(again.ssh_identities().unwrap().len(), 1);
        let (mut next, first) = (again, secrets.ssh_pair());
        for _ in 0..5 {
            next.replace_ssh(&KeyPair::generate().unwrap());
        }
        assert!(
            next.ssh_identities().unwrap().len() == 4 && !next.ssh_public().contains(&first.public)
        );
    }

    #[test]
    fn a_former_authority_stays_while_machines_believe_it() {
        let mut secrets = Secrets::default();
        for name in ["tls-authority", "tls-redis-1", "tls-root", "tls-signer-redis-1", "a"] {
            secrets.set(name, Some(String::new()));
        }
        assert_eq!(secrets.check_authority().unwrap_err().error.code, "certificate");
        secrets.forget_former_authority();
        secrets.check_authority().unwrap();
        let left: Vec<&String> = secrets.values.keys().collect();
        assert_eq!(left, ["a", "tls-root", "tls-signer-redis-1"]);
    }

    #[tokio::test]
    async fn another_identity_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::directory(folder.path()).unwrap();
        let (mine, theirs) = (folder.path().join("mine"), folder.path().join("theirs"));
        let recipients = Recipients::new(&[new_identity(&theirs).unwrap()]).unwrap();
        new_identity(&mine).unwrap();
        let mut secrets = Secrets::default();
        secrets.complete(&[]).unwrap();
        secrets.save(&store, &recipients).await.unwrap();
        let failure = Secrets::load(&store, &mine).await.unwrap_err();
        assert_eq!((failure.kind, failure.error.code.as_str()), (Kind::Host, "identity"));
        let none = Secrets::load(&store, &folder.path().join("none")).await.unwrap_err();
        assert_eq!(none.kind, Kind::Host);
    }
}
