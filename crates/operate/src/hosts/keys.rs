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

/// Finds the file, `$f`, of the user who logs in.
fn file(user: &str) -> String {
    let user = quote(&[user]);
    format!("h=$(getent passwd {user} | cut -d: -f6); f=$h/.ssh/authorized_keys")
}

/// An instance's lines, for awk.
const OURS: &str = "NF == 4 && $3 ~ /^andamio-/ && $4 == name";

/// Does the server have exactly these lines of the instance?
pub(super) async fn are_left(
    instance: &Instance,
    machine: &Found,
    session: &Session,
) -> Result<bool, RemoteError> {
    let output = session.output(&find(&machine.user, &instance.name()), &[]).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut there: Vec<&str> = text.lines().collect();
    there.sort_unstable();
    Ok(output.exit.success() && there == left(instance))
}

fn find(user: &str, instance: &str) -> String {
    let (file, name) = (file(user), quote(&[&format!("name={instance}")]));
    format!("{file}; [ ! -e \"$f\" ] || awk -v {name} '{OURS}' \"$f\"")
}

/// Puts these lines in place of those that the instance left before.
pub(super) fn leave(instance: &Instance, machine: &Found) -> String {
    replace(&machine.user, &instance.name(), &left(instance))
}

/// As root, on behalf of the user: their file keeps its other keys and its owner, and is whole at any time.
fn replace(user: &str, instance: &str, lines: &[String]) -> String {
    let (file, user) = (file(user), quote(&[user]));
    let (name, lines) = (quote(&[&format!("name={instance}")]), quote(lines));
    format!(
        "set -e; {file}; g=$(id -gn {user}); \
         [ -d \"$h/.ssh\" ] || install -d -m 700 -o {user} -g \"$g\" \"$h/.ssh\"; \
         [ -e \"$f\" ] || install -m 600 -o {user} -g \"$g\" /dev/null \"$f\"; \
         f=$(readlink -f \"$f\"); n=$f.andamio; cp -p \"$f\" \"$n\"; \
         awk -v {name} '!({OURS})' \"$f\" > \"$n\"; printf '%s\\n' {lines} >> \"$n\"; \
         sync \"$n\"; mv \"$n\" \"$f\"; sync \"$f\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A script as the server's shell runs it, for a user who is at home in `folder`.
    fn sh(folder: &Path, script: &str) -> String {
        let home = format!("getent() {{ echo me:x:0:0::{}:/bin/sh; }}; {script}", folder.display());
        let output = std::process::Command::new("sh").args(["-c", &home]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn an_instance_replaces_its_own_lines_and_no_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".ssh/authorized_keys");
        std::fs::create_dir(folder.path().join(".ssh")).unwrap();
        let others =
            "ssh-rsa AAAA ana@desk\nssh-ed25519 BB andamio-operator dev@hosts\n# prod@hosts\n";
        let former = "ssh-ed25519 CC andamio-operator prod@hosts\nssh-ed25519 DD andamio-actor:bo prod@hosts";
        // Somebody's editor left no end of the last line.
        std::fs::write(&file, format!("{others}{former}")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let me = user();
        assert_eq!(sh(folder.path(), &find(&me, "prod@hosts")), format!("{former}\n"));
        let lines = ["ssh-ed25519 EE andamio-actor:ana prod@hosts".to_owned()];
        for _ in 0..2 {
            sh(folder.path(), &replace(&me, "prod@hosts", &lines));
            let now = std::fs::read_to_string(&file).unwrap();
            assert_eq!(now, format!("{others}{}\n", lines[0]));
        }
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    fn user() -> String {
        let output = std::process::Command::new("id").arg("-un").output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}
