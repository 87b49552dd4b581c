//! age keys: who can read the secrets.

use crate::{Failure, Kind};
use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::ExposeSecret;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;

const HELP: &str = "name your identity with ANDAMIO_IDENTITY, or ask a member of the team to add your \
                    key with `andamio key add`";

/// Makes an identity file (0600) and returns its public key, `age1…`.
///
/// # Errors
/// When the file is there already or cannot be written.
pub fn new_identity(file: &Path) -> Result<String, Failure> {
    let identity = age::x25519::Identity::generate();
    let public = identity.to_public().to_string();
    let text = format!(
        "# Reads this project's secrets. Keep it out of git, and keep a copy off this machine.\n\
         # public key: {public}\n{}\n",
        identity.to_string().expose_secret()
    );
    let write = || {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut out =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()
    };
    write().map_err(|e: std::io::Error| {
        let message = format!("cannot write the identity {}: {e}", file.display());
        Failure::new(Kind::Host, "identity", message, "check the folder, or set ANDAMIO_IDENTITY")
    })?;
    Ok(public)
}

/// Private keys of one file: age identities, or an ssh-ed25519 key without a passphrase.
pub(super) struct Identity(Vec<Box<dyn age::Identity>>);

impl Identity {
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let fail = |message: String| Failure::new(Kind::Host, "identity", message, HELP);
        let text = std::fs::read_to_string(file)
            .map_err(|e| fail(format!("cannot read the identity {}: {e}", file.display())))?;
        if text.contains("-----BEGIN OPENSSH PRIVATE KEY-----") {
            let key = age::ssh::Identity::from_buffer(text.as_bytes(), None)
                .map_err(|e| fail(format!("{} is no usable SSH key: {e}", file.display())))?;
            return Ok(Self(vec![Box::new(key)]));
        }
        let mut keys: Vec<Box<dyn age::Identity>> = Vec::new();
        for line in text.lines().map(str::trim).filter(|l| l.starts_with("AGE-SECRET-KEY-")) {
            let key = age::x25519::Identity::from_str(line)
                .map_err(|e| fail(format!("{} has a damaged key: {e}", file.display())))?;
            keys.push(Box::new(key));
        }
        if keys.is_empty() {
            return Err(fail(format!("{} holds no age key", file.display())));
        }
        Ok(Self(keys))
    }

    /// Public keys of the age identities, so that whoever writes secrets can read them again.
    pub(super) fn public(file: &Path) -> Option<String> {
        let text = std::fs::read_to_string(file).ok()?;
        let line = text.lines().map(str::trim).find(|l| l.starts_with("AGE-SECRET-KEY-"))?;
        Some(age::x25519::Identity::from_str(line).ok()?.to_public().to_string())
    }

    pub(super) fn open(&self, armored: &str) -> Result<Vec<u8>, Failure> {
        let open = || -> Result<Vec<u8>, age::DecryptError> {
            let decryptor = age::Decryptor::new(ArmoredReader::new(armored.as_bytes()))?;
            let mut reader = decryptor.decrypt(self.0.iter().map(AsRef::as_ref))?;
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

/// Public keys that secrets are encrypted to.
pub(crate) struct Recipients {
    keys: Vec<Box<dyn age::Recipient + Send>>,
    names: Vec<String>,
}

impl Recipients {
    /// From age or ssh-ed25519 public keys.
    ///
    /// # Errors
    /// When one is neither.
    pub(crate) fn new(names: &[String]) -> Result<Self, Failure> {
        let mut keys: Vec<Box<dyn age::Recipient + Send>> = Vec::new();
        for name in names {
            if let Ok(key) = age::x25519::Recipient::from_str(name) {
                keys.push(Box::new(key));
            } else if let Ok(key) = age::ssh::Recipient::from_str(name) {
                keys.push(Box::new(key));
            } else {
                return Err(Failure::new(
                    Kind::Host,
                    "team",
                    format!("`{name}` is neither an age nor an ssh-ed25519 public key"),
                    "correct `team` in andamio.toml",
                ));
            }
        }
        Ok(Self { keys, names: names.to_vec() })
    }

    /// The team and the holder of the identity file, each once.
    pub(crate) fn of(team: &[String], identity: &Path) -> Result<Self, Failure> {
        let mut names = team.to_vec();
        if let Some(own) = Identity::public(identity)
            && !names.contains(&own)
        {
            names.push(own);
        }
        Self::new(&names)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    pub(super) fn seal(&self, plain: &[u8]) -> Result<String, Failure> {
        let fail = |e: &dyn std::fmt::Display| {
            Failure::new(Kind::Failed, "secrets", format!("cannot encrypt: {e}"), HELP)
        };
        let recipients = self.keys.iter().map(|k| -> &dyn age::Recipient { k.as_ref() });
        let encryptor =
            age::Encryptor::with_recipients(recipients).map_err(|e| fail(&e))?;
        let mut armored = Vec::new();
        let seal = |armored: &mut Vec<u8>| -> std::io::Result<()> {
            let mut writer = encryptor
                .wrap_output(ArmoredWriter::wrap_output(armored, Format::AsciiArmor)?)?;
            writer.write_all(plain)?;
            writer.finish()?.finish()?;
            Ok(())
        };
        seal(&mut armored).map_err(|e| fail(&e))?;
        String::from_utf8(armored).map_err(|e| fail(&e))
    }
}
