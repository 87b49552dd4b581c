//! Public keys: who can read the secrets.

use crate::{Failure, Kind};
use age::armor::{ArmoredWriter, Format};
use std::io::Write;
use std::str::FromStr;

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

    pub(crate) fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    pub(crate) fn seal(&self, plain: &[u8]) -> Result<String, Failure> {
        let fail = |e: &dyn std::fmt::Display| {
            let help = "run the same command again";
            Failure::new(Kind::Failed, "secrets", format!("cannot encrypt: {e}"), help)
        };
        let recipients = self.keys.iter().map(|k| -> &dyn age::Recipient { k.as_ref() });
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(|e| fail(&e))?;
        let mut armored = Vec::new();
        let seal = |armored: &mut Vec<u8>| -> std::io::Result<()> {
            let mut writer =
                encryptor.wrap_output(ArmoredWriter::wrap_output(armored, Format::AsciiArmor)?)?;
            writer.write_all(plain)?;
            writer.finish()?.finish()?;
            Ok(())
        };
        seal(&mut armored).map_err(|e| fail(&e))?;
        String::from_utf8(armored).map_err(|e| fail(&e))
    }
}

/// Type and blob of a public key, without the comment that an SSH key may carry.
pub(crate) fn bare(key: &str) -> String {
    key.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

pub(crate) fn same(one: &str, other: &str) -> bool {
    bare(one) == bare(other)
}
