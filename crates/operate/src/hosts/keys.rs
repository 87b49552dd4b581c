//! Keys of the person that need their passphrase first.

use super::{PATIENCE, wanted};
use crate::access::SshAccess;
use crate::failure::UNLOCK;
use crate::instance::Instance;
use crate::{Failure, Kind};
use andamio_engine::Secret;
use andamio_remote::{RemoteError, SshKey};
use futures_util::future::join_all;
use std::path::PathBuf;

/// A key that a server would take, and that needs its passphrase first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    pub file: PathBuf,
    /// Its kind, fingerprint and file.
    pub key: String,
}

/// Keys without whose passphrase a server stays closed. Empty where there are none, or where nothing would change with
/// it.
pub async fn locked(instance: &Instance, limit: &[String]) -> Vec<Locked> {
    if !instance.nodes.has_locked_keys() {
        return Vec::new();
    }
    let machines = wanted(instance, limit);
    let asked = machines.iter().map(|machine| instance.nodes.session(machine, PATIENCE));
    let mut found = Vec::new();
    for answer in join_all(asked).await {
        if let Err(RemoteError::Locked { key, file, .. }) = answer {
            let locked = Locked { file, key };
            if !found.contains(&locked) {
                found.push(locked);
            }
        }
    }
    found
}

/// Takes a passphrase for that key; false when it is not the right one.
#[must_use]
pub fn unlock(access: &mut SshAccess, key: &Locked, passphrase: String) -> bool {
    let fits = SshKey::read(&key.file, "", Some(&passphrase)).is_ok();
    if fits {
        access.passphrases.insert(key.file.clone(), Secret(passphrase));
    }
    fits
}

/// Why nothing is asked where nobody can answer.
#[must_use]
pub fn has_passphrase(keys: &[Locked]) -> Failure {
    let keys: Vec<&str> = keys.iter().map(|locked| locked.key.as_str()).collect();
    let verb = if keys.len() == 1 { "has" } else { "have" };
    Failure::new(
        Kind::Host,
        "ssh-key",
        format!("a server takes {}, which {verb} a passphrase", keys.join(", ")),
        UNLOCK,
    )
}
