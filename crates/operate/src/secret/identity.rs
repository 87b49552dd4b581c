//! Private keys: what this person reads the secrets with.

use crate::{Failure, Kind};
use age::armor::ArmoredReader;
use age::secrecy::ExposeSecret;
use andamio_remote::KeyPair;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::str::FromStr;

const HELP: &str = "name your identity with ANDAMIO_IDENTITY, or ask a member of the team to add your \
                    key with `andamio key add`";
const HELP_MISSING: &str = "make one with `andamio init` and ask a member of the team to add it with \
                            `andamio key add`, or name yours with ANDAMIO_IDENTITY";

/// Makes an identity file (0600), and returns its public key, `age1…`.
/// Two at once make one.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn new_identity(file: &Path) -> Result<String, Failure> {
    let identity = age::x25519::Identity::generate();
    let mut public = identity.to_public().to_string();
    let text = format!(
        "# Reads this project's secrets. Keep it out of git, and keep a copy off this machine.\n\
         # public key: {public}\n{}\n",
        identity.to_string().expose_secret()
    );
    let mine = create(file, &text).map_err(|e| {
        let message = format!("cannot write the identity {}: {e}", file.display());
        Failure::new(Kind::Host, "identity", message, "check the folder, or set ANDAMIO_IDENTITY")
    })?;
    if !mine {
        public = public_keys(file)?.into_iter().next().unwrap_or_default();
    }
    Ok(public)
}

/// Makes a file that only its owner reads; false when it is there already.
pub(crate) fn create(file: &Path, text: &str) -> std::io::Result<bool> {
    let made = temporary(file);
    if let Some(folder) = file.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut out =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&made)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    // A link appears whole or not at all, and never over a file that is there.
    let linked = std::fs::hard_link(&made, file);
    std::fs::remove_file(&made)?;
    match linked {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        other => other.map(|()| true),
    }
}

/// A key pair that is kept nowhere: private and public half.
#[must_use]
pub fn recovery_key() -> (String, String) {
    let identity = age::x25519::Identity::generate();
    (identity.to_string().expose_secret().to_owned(), identity.to_public().to_string())
}

/// Public halves of the keys in an identity file; none when there is no file.
///
/// # Errors
/// When the file cannot be read or holds no key.
pub fn public_keys(file: &Path) -> Result<Vec<String>, Failure> {
    if file.exists() { Ok(AgeIdentity::read(file)?.public) } else { Ok(Vec::new()) }
}

/// The SSH key that goes with an age key. It follows from it, so that a person with copies of one identity is one actor
/// everywhere, also where nothing can be written, as in a pipeline; nobody comes from it to the age key.
fn following(secret: &str) -> Result<KeyPair, String> {
    let seed: [u8; 32] = Sha256::digest(format!("andamio actor key 1\n{secret}")).into();
    KeyPair::from_seed(&seed).map_err(|e| e.to_string())
}

/// A name beside the file that no other process uses.
fn temporary(file: &Path) -> std::path::PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    name.into()
}

/// Private keys of one file: age identities, or an ssh-ed25519 key without a passphrase.
pub(crate) struct AgeIdentity {
    keys: Vec<Box<dyn age::Identity>>,
    pub(crate) public: Vec<String>,
    /// The SSH key that it is, or the one that follows from its first key.
    pub(crate) ssh: KeyPair,
}

impl AgeIdentity {
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let fail = |message: String| Failure::new(Kind::Host, "identity", message, HELP);
        let text = std::fs::read_to_string(file).map_err(|e| {
            let message = format!("cannot read the identity {}: {e}", file.display());
            let missing = e.kind() == std::io::ErrorKind::NotFound;
            let help = if missing { HELP_MISSING } else { HELP };
            Failure::new(Kind::Host, "identity", message, help)
        })?;
        if text.contains("-----BEGIN OPENSSH PRIVATE KEY-----") {
            let key = age::ssh::Identity::from_buffer(text.as_bytes(), None)
                .map_err(|e| fail(format!("{} is no usable SSH key: {e}", file.display())))?;
            let public = age::ssh::Recipient::try_from(key.clone()).map(|r| r.to_string());
            let public = public.map_err(|_| {
                fail(format!("{} is locked with a passphrase, or of another type", file.display()))
            })?;
            let ssh = KeyPair::parse(&text).map_err(|e| fail(e.to_string()))?;
            return Ok(Self { keys: vec![Box::new(key)], public: vec![public], ssh });
        }
        let (mut keys, mut public): (Vec<Box<dyn age::Identity>>, _) = (Vec::new(), Vec::new());
        let mut ssh = None;
        for line in text.lines().map(str::trim).filter(|l| l.starts_with("AGE-SECRET-KEY-")) {
            let key = age::x25519::Identity::from_str(line)
                .map_err(|e| fail(format!("{} has a damaged key: {e}", file.display())))?;
            public.push(key.to_public().to_string());
            if ssh.is_none() {
                ssh = Some(following(key.to_string().expose_secret()).map_err(&fail)?);
            }
            keys.push(Box::new(key));
        }
        let Some(ssh) = ssh else {
            return Err(fail(format!("{} holds no age key", file.display())));
        };
        Ok(Self { keys, public, ssh })
    }

    pub(crate) fn open(&self, armored: &str) -> Result<Vec<u8>, Failure> {
        let open = || -> Result<Vec<u8>, age::DecryptError> {
            let decryptor = age::Decryptor::new(ArmoredReader::new(armored.as_bytes()))?;
            let mut reader = decryptor.decrypt(self.keys.iter().map(AsRef::as_ref))?;
            let mut plain = Vec::new();
            reader.read_to_end(&mut plain)?;
            Ok(plain)
        };
        open().map_err(|e| {
            let message = format!("this identity cannot read the instance's secrets: {e}");
            Failure::new(Kind::Host, "identity", message, HELP)
        })
    }
}
