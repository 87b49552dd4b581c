//! Keys of servers that exist: those of the person that need their passphrase first, and those that Andamio leaves there.

use super::{PATIENCE, wanted};
use crate::access::SshAccess;
use crate::failure::UNLOCK;
use crate::instance::Instance;
use crate::{Failure, Kind};
use andamio_engine::Secret;
use andamio_provision::Found;
use andamio_remote::{RemoteError, Session, SshKey, quote};
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

/// Lines that an instance leaves in `authorized_keys` of a server: each ends with its name, so that other keys, also those
/// of another instance, stay as they are.
fn left(instance: &Instance) -> Vec<String> {
    let name = instance.name();
    instance.wanted_keys().into_iter().map(|line| format!("{line} {name}")).collect()
}

/// Finds the file, `$f`, of the user who logs in, and chooses an instance's lines in it with awk.
fn file(machine: &Found) -> String {
    let user = quote(&[&machine.user]);
    format!("h=$(getent passwd {user} | cut -d: -f6); f=$h/.ssh/authorized_keys")
}

const OURS: &str = "NF == 4 && $3 ~ /^andamio-/ && $4 == name";

/// Does the server have exactly these lines of the instance?
pub(super) async fn are_left(
    instance: &Instance,
    machine: &Found,
    session: &Session,
) -> Result<bool, RemoteError> {
    let (file, name) = (file(machine), quote(&[&format!("name={}", instance.name())]));
    let script = format!("{file}; [ ! -e \"$f\" ] || awk -v {name} '{OURS}' \"$f\"");
    let output = session.output(&script, &[]).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut there: Vec<&str> = text.lines().collect();
    there.sort_unstable();
    Ok(output.exit.success() && there == left(instance))
}

/// Puts these lines in place of those that the instance left before. As root, on behalf of the user: their file keeps its
/// other keys and its owner, and is whole at any time.
pub(super) fn leave(instance: &Instance, machine: &Found) -> String {
    let (user, file) = (quote(&[&machine.user]), file(machine));
    let name = quote(&[&format!("name={}", instance.name())]);
    let lines: Vec<String> = left(instance).iter().map(|line| quote(&[line])).collect();
    let lines = lines.join(" ");
    format!(
        "set -e; {file}; g=$(id -gn {user}); \
         [ -d \"$h/.ssh\" ] || install -d -m 700 -o {user} -g \"$g\" \"$h/.ssh\"; \
         [ -e \"$f\" ] || install -m 600 -o {user} -g \"$g\" /dev/null \"$f\"; \
         f=$(readlink -f \"$f\"); n=$f.andamio; cp -p \"$f\" \"$n\"; \
         awk -v {name} '!({OURS})' \"$f\" > \"$n\"; printf '%s\\n' {lines} >> \"$n\"; \
         sync \"$n\"; mv \"$n\" \"$f\"; sync \"$f\""
    )
}
