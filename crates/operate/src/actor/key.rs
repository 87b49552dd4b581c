//! The SSH key of whoever calls: what they log in to machines with, and sign entries of the ledger with.

use crate::secret::{self, AgeIdentity, create};
use crate::{Failure, Kind};
use andamio_engine::Signer;
use andamio_remote::{KeyPair, SshKey, is_signed};
use std::path::{Path, PathBuf};

/// What signatures of entries are made for; a signature for something else is none.
const LEDGER: &str = "andamio-ledger";
/// How messages call it.
pub(crate) const OWN: &str = "your own of Andamio";

/// A person's own key.
#[derive(Clone)]
pub(crate) struct ActorKey {
    pair: KeyPair,
    /// Public half of the identity that it goes with.
    pub(crate) age: String,
    /// Where it lies beside the identity; `None` where the identity is an SSH key itself.
    pub(crate) file: Option<PathBuf>,
}

impl ActorKey {
    /// The key that goes with an identity: the identity itself, the file beside it, or what follows from it. `None` where
    /// there is no identity. Nothing is written.
    ///
    /// # Errors
    /// When the identity or the file cannot be read.
    pub(crate) fn find(identity: &Path) -> Result<Option<Self>, Failure> {
        if !identity.exists() {
            return Ok(None);
        }
        let AgeIdentity { public, ssh, .. } = AgeIdentity::read(identity)?;
        let age = public.into_iter().next().unwrap_or_default();
        if age.starts_with("ssh-") {
            return Ok(Some(Self { pair: ssh, age, file: None }));
        }
        let file = beside(identity);
        let pair = match std::fs::read_to_string(&file) {
            Ok(text) => KeyPair::parse(&text).map_err(|e| unusable(&file, &e.to_string()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => ssh,
            Err(e) => return Err(unusable(&file, &e.to_string())),
        };
        Ok(Some(Self { pair, age, file: Some(file) }))
    }

    /// Leaves it beside the identity, for `ssh -i`. Where that cannot be, it still follows from the identity.
    pub(crate) fn keep(&self) {
        if let Some(file) = &self.file {
            let _ = create(file, &self.pair.private);
        }
    }

    pub(crate) fn public(&self) -> &str {
        &self.pair.public
    }

    /// To log in with.
    pub(crate) fn identity(&self) -> Result<SshKey, Failure> {
        SshKey::parse(&self.pair.private, OWN)
            .map_err(|e| Failure::error(Kind::Host, "actor-key", &e, HELP))
    }
}

impl Signer for ActorKey {
    fn actor(&self) -> String {
        self.pair.public.clone()
    }

    fn sign(&self, sha256: &str) -> String {
        // A key that was read can sign.
        self.pair.sign(LEDGER, sha256.as_bytes()).unwrap_or_default()
    }
}

/// Did the owner of this key sign that hash?
pub(crate) fn signed(public: &str, sha256: &str, signature: &str) -> bool {
    is_signed(public, LEDGER, sha256.as_bytes(), signature)
}

/// `identity.ssh` beside `identity.txt`.
pub(crate) fn beside(identity: &Path) -> PathBuf {
    let file = identity.with_extension("ssh");
    if file == identity { identity.with_extension("ssh.ssh") } else { file }
}

const HELP: &str = "it has to be an ed25519 key in OpenSSH's format without a passphrase; moved away, the one that \
                    follows from your identity is used";

fn unusable(file: &Path, why: &str) -> Failure {
    let message = format!("cannot use your SSH key {}: {why}", file.display());
    Failure::new(Kind::Host, "actor-key", message, HELP)
}

/// Makes an identity file, with the SSH key that goes with it beside it, and returns its public key, `age1…`.
/// Two at once make one.
///
/// # Errors
/// When it cannot be written.
pub fn new_identity(file: &Path) -> Result<String, Failure> {
    let public = secret::new_identity(file)?;
    if let Some(key) = ActorKey::find(file)? {
        key.keep();
    }
    Ok(public)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_follows_from_the_identity_unless_there_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("identity.txt"), folder.path().join("copy/key"));
        assert!(ActorKey::find(&file).unwrap().is_none());
        let age = new_identity(&file).unwrap();
        let key = ActorKey::find(&file).unwrap().unwrap();
        assert_eq!(key.age, age);
        let kept = std::fs::metadata(folder.path().join("identity.ssh")).unwrap();
        assert_eq!(kept.permissions().mode() & 0o777, 0o600);
        std::fs::create_dir(folder.path().join("copy")).unwrap();
        std::fs::copy(&file, &copy).unwrap();
        let same = ActorKey::find(&copy).unwrap().unwrap();
        assert_eq!(same.public(), key.public());

        let other = KeyPair::generate().unwrap();
        std::fs::write(beside(&copy), &other.private).unwrap();
        assert_eq!(ActorKey::find(&copy).unwrap().unwrap().public(), other.public);
        assert!(signed(key.public(), "ab", &key.sign("ab")));
        std::fs::write(beside(&copy), "nonsense").unwrap();
        assert_eq!(ActorKey::find(&copy).err().unwrap().error.code, "actor-key");
    }

    #[test]
    fn an_identity_that_is_an_ssh_key_is_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("id_ed25519");
        let pair = KeyPair::generate().unwrap();
        std::fs::write(&file, &pair.private).unwrap();
        let key = ActorKey::find(&file).unwrap().unwrap();
        assert_eq!((key.public(), key.file.is_none()), (pair.public.as_str(), true));
        assert!(key.age.starts_with(&pair.public));
    }
}
