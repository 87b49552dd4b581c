//! Packages start nothing: a service's first start is the unit's, once its configuration is there.
//!
//! Debian's maintainer scripts ask `/usr/sbin/policy-rc.d` before they start or restart a service (Debian Policy, 9.3.3.1;
//! deb-systemd-invoke(1p)). While a transaction runs, that answers: what ran before may be started again, nothing else. The
//! answer holds only as long as the process that wrote it lives, so one that is left behind by a kill changes nothing.

use crate::disk;
use crate::failure::{Context, Result};
use crate::machine::Machine;
use std::fs;
use std::path::Path;

const POLICY: &str = "/usr/sbin/policy-rc.d";
/// Somebody else's policy, while ours is in its place: ours asks it, too.
const OTHERS: &str = "/usr/sbin/policy-rc.d.andamio-saved";
const MARK: &str = "# Andamio's, while it installs packages.";

/// Takes the policy back when it is dropped.
pub(super) struct Guard(());

/// Puts the policy in place.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn guard(machine: &mut Machine) -> Result<Guard> {
    // Without a bus yet there is no service either that could be restarted.
    let active = match machine.systemd().await {
        Ok(systemd) => systemd.names(&["active", "reloading", "activating"]).await?,
        Err(_) => Vec::new(),
    };
    restore()?;
    if Path::new(POLICY).exists() {
        fs::rename(POLICY, OTHERS).during(format!("moving {POLICY}"))?;
    }
    let text = script(std::process::id(), &started(), &active);
    disk::write(Path::new(POLICY), text.as_bytes(), 0o755)?;
    Ok(Guard(()))
}

impl Drop for Guard {
    fn drop(&mut self) {
        // What stays is void, and the next transaction takes it away.
        let _ = restore();
    }
}

/// Removes ours, also one of a run that was killed, and puts back whose place it took.
fn restore() -> Result<()> {
    let ours = disk::read(Path::new(POLICY))?.is_some_and(|text| is_ours(&text));
    if ours {
        disk::remove(Path::new(POLICY))?;
    }
    if Path::new(OTHERS).exists() {
        fs::rename(OTHERS, POLICY).during(format!("moving {OTHERS}"))?;
    }
    Ok(())
}

fn is_ours(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).lines().any(|line| line == MARK)
}

/// When this process began, in the kernel's ticks since boot (proc(5), field 22 of `stat`); a number alone may
/// belong to another process by then.
fn started() -> String {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    after.split(' ').nth(19).unwrap_or_default().to_owned()
}

/// `sh` reads it: arguments are a unit or an init script, and what is to be done to it.
fn script(process: u32, started: &str, active: &[String]) -> String {
    let known = |name: &&String| !name.contains(['\'', '\n']);
    let names: Vec<&str> = active
        .iter()
        .filter(known)
        .map(|name| name.strip_suffix(".service").unwrap_or(name))
        .collect();
    let names = names.join(" ");
    format!(
        "#!/bin/sh\n{MARK}\n\
         unit=${{1%.service}}\n\
         others() {{ [ ! -x {OTHERS} ] || exec {OTHERS} \"$@\"; exit 0; }}\n\
         case $2 in *start* | *force-reload*) ;; *) others \"$@\" ;; esac\n\
         stat=$(cat /proc/{process}/stat 2>/dev/null) || others \"$@\"\n\
         begun=$(set -- ${{stat##*) }}; echo \"${{20}}\")\n\
         [ \"$begun\" = '{started}' ] || others \"$@\"\n\
         # Without it nobody hears of the services that follow.\n\
         case $unit in dbus | dbus.socket | dbus-broker) others \"$@\" ;; esac\n\
         case ' {names} ' in *\" $unit \"*) others \"$@\" ;; esac\n\
         exit 101\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What a maintainer script is told.
    fn answer(process: u32, started: &str, words: &[&str]) -> Option<i32> {
        let active = ["ssh.service", "cron.service", "dbus.socket"].map(str::to_owned);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy");
        fs::write(&path, script(process, started, &active)).unwrap();
        Command::new("sh").arg(&path).args(words).status().unwrap().code()
    }

    #[test]
    fn what_does_not_run_is_not_started() {
        let (me, begun) = (std::process::id(), started());
        for (words, code) in [
            (["redis-server.service", "start"], 101),
            (["rabbitmq-server", "restart"], 101),
            (["haproxy", "(start) (reload)"], 101),
            (["ssh", "restart"], 0),
            (["ssh.service", "start"], 0),
            (["mariadb", "stop"], 0),
            (["mariadb", "reload"], 0),
            (["dbus.socket", "start"], 0),
        ] {
            assert_eq!(answer(me, &begun, &words), Some(code), "{words:?}");
        }
        assert_eq!(answer(me, "1", &["redis-server", "start"]), Some(0), "another process's");
        assert_eq!(
            answer(4_000_000_000, &begun, &["redis-server", "start"]),
            Some(0),
            "left behind"
        );
    }
}
