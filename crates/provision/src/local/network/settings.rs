//! Settings of the host's kernel that machines need: made for the first instance, given back after the last.

use super::{Local, LocalError};
use crate::local::list;
use std::fs;
use std::path::{Path, PathBuf};

/// A setting, and the least that machines need of it.
struct Setting {
    path: &'static str,
    least: u64,
}

const SETTINGS: [Setting; 2] = [
    Setting { path: "/proc/sys/net/ipv4/ip_forward", least: 1 },
    // Root of every machine is root of the host, and all of them share this. A machine takes five to ten;
    // with the kernel's 128 the systemd of the fifteenth ends at once, without a word.
    Setting { path: "/proc/sys/fs/inotify/max_user_instances", least: 8192 },
];
/// Interfaces that this host had when the first setting was made.
const INTERFACES: &str = "interfaces.before";
/// Where a host says what its settings are at boot.
const DECLARED: [&str; 4] =
    ["/etc/sysctl.conf", "/etc/sysctl.d", "/run/sysctl.d", "/usr/lib/sysctl.d"];

/// Settings that are less than machines need, as the plan says it.
pub(super) fn differ() -> Vec<String> {
    let low = SETTINGS.iter().filter(|setting| !setting.is_enough());
    low.map(|setting| format!("{} is less than {}", setting.path, setting.least)).collect()
}

impl Setting {
    fn is_enough(&self) -> bool {
        let now = fs::read_to_string(self.path).unwrap_or_default();
        now.trim().parse::<u64>().is_ok_and(|value| value >= self.least)
    }

    fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

impl Local {
    pub(super) fn set(&self) -> Result<(), LocalError> {
        for setting in SETTINGS.iter().filter(|setting| !setting.is_enough()) {
            let before = fs::read_to_string(setting.path).unwrap_or_default();
            let record = self.before(setting);
            // The first word counts: one that somebody took back meanwhile is set again.
            if !record.exists() {
                fs::write(&record, before).map_err(LocalError::io("write", &record))?;
            }
            let interfaces = self.roots.data.join(INTERFACES);
            if !interfaces.exists() {
                fs::write(&interfaces, foreign(&list(Path::new(NET))).join("\n"))
                    .map_err(LocalError::io("write", &interfaces))?;
            }
            fs::write(setting.path, setting.least.to_string())
                .map_err(LocalError::io("write", setting.path))?;
        }
        Ok(())
    }

    /// After the last instance. What somebody has come to need meanwhile stays: an interface that came
    /// after us, as another bridge or a tunnel, may forward because it found forwarding switched on.
    pub(super) fn unset(&self) {
        if !list(&self.roots.data.join("networks")).is_empty() {
            return;
        }
        let record = self.roots.data.join(INTERFACES);
        let had = fs::read_to_string(&record).ok();
        let needed = had.is_some_and(|had| others_came(&had, &list(Path::new(NET))));
        for setting in &SETTINGS {
            let before = self.before(setting);
            if let Ok(value) = fs::read_to_string(&before) {
                if !needed && !declared(setting.name()) {
                    let _ = fs::write(setting.path, value);
                }
                let _ = fs::remove_file(before);
            }
        }
        let _ = fs::remove_file(record);
    }

    fn before(&self, setting: &Setting) -> PathBuf {
        self.roots.data.join(format!("{}.before", setting.name()))
    }
}

const NET: &str = "/sys/class/net";

/// Without loopback, bridges of instances and cables of machines.
fn foreign(interfaces: &[String]) -> Vec<&str> {
    let ours =
        |name: &&str| *name == "lo" || name.starts_with("andamio-") || name.starts_with("vb-");
    interfaces.iter().map(String::as_str).filter(|name| !ours(name)).collect()
}

fn others_came(had: &str, now: &[String]) -> bool {
    foreign(now).into_iter().any(|name| had.lines().all(|line| line != name))
}

/// Does a file of this host set it, from its next boot on at the latest?
fn declared(name: &str) -> bool {
    let file = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().any(|line| sets(line, name))
    };
    DECLARED
        .iter()
        .map(Path::new)
        .any(|path| file(path) || list(path).iter().any(|entry| file(&path.join(entry))))
}

/// A line of sysctl.d that sets the setting to something other than nothing.
fn sets(line: &str, name: &str) -> bool {
    let Some((key, value)) = line.split_once('=') else { return false };
    let key = key.trim().trim_start_matches('-').replace('/', ".");
    key.rsplit('.').next() == Some(name)
        && key.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.trim() != "0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_later_may_need_it() {
        let now = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let had = "eth0\nwlan0";
        assert!(!others_came(had, &now(&["lo", "eth0", "andamio-0", "vb-0ap1"])));
        assert!(others_came(had, &now(&["lo", "eth0", "wlan0", "virbr0"])));
        assert!(sets("net.ipv4.ip_forward = 1", "ip_forward"));
        assert!(sets("net/ipv4/ip_forward=1", "ip_forward"));
        assert!(!sets("# net.ipv4.ip_forward=1", "ip_forward"));
        assert!(!sets("net.ipv4.ip_forward=0", "ip_forward"));
    }
}
