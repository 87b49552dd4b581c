//! What this host has: what a scenario needs of it, and what an instance left on it. Only instances
//! of tests are looked for, so that a user's own are neither touched nor counted.

use crate::wait::until;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What of these programs is not here, as the reason of a skipped step.
#[must_use]
pub fn missing(programs: &[&str]) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let here = |program: &&&str| std::env::split_paths(&path).any(|f| f.join(program).is_file());
    let missing: Vec<&str> = programs.iter().filter(|p| !here(p)).copied().collect();
    (!missing.is_empty()).then(|| format!("needs {}", missing.join(" and ")))
}

/// Ends a machine of the instance with this id as a power cut would: its disk stays.
pub fn cut_power(id: &str, machine: &str) {
    let roots = ["unified", ""].map(|r| Path::new("/sys/fs/cgroup").join(r));
    let groups = roots.map(|r| r.join("andamio").join(id).join(machine));
    let group = groups.iter().find(|g| g.join("cgroup.kill").exists());
    let group = group.expect("the machine's control group");
    fs::write(group.join("cgroup.kill"), "1").unwrap();
    until("the machine's end", Duration::from_secs(30), || {
        let events = fs::read_to_string(group.join("cgroup.events")).unwrap_or_default();
        if events.contains("populated 1") { Err(events) } else { Ok(()) }
    });
}

/// Everything of the instance with this id that is on the host, a line each.
#[must_use]
pub fn leftovers(id: &str) -> Vec<String> {
    let mut left = Vec::new();
    for root in ["", "unified", "memory", "cpu", "pids"] {
        let group = Path::new("/sys/fs/cgroup").join(root).join("andamio").join(id);
        if group.exists() {
            left.push(format!("control group {}", group.display()));
        }
    }
    let interfaces = names("/sys/class/net");
    let of_it =
        |name: &&String| **name == format!("andamio-{id}") || name.starts_with(&format!("vb-{id}"));
    left.extend(interfaces.iter().filter(of_it).map(|n| format!("interface {n}")));
    let tables = Command::new("nft").args(["list", "tables"]).output();
    let tables =
        tables.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    left.extend(
        tables.lines().filter(|t| t.contains(&format!("andamio_{id}"))).map(|t| format!("nft {t}")),
    );
    let data = Path::new("/var/lib/andamio");
    let instance = data.join("instances").join(id);
    if instance.exists() {
        left.push(format!("folder {}", instance.display()));
    }
    for network in names(&data.join("networks").display().to_string()) {
        let owner = fs::read_to_string(data.join("networks").join(&network).join("owner"));
        if owner.is_ok_and(|o| o == id) {
            left.push(format!("claim of network {network}"));
        }
    }
    for device in names("/sys/block").into_iter().filter(|n| n.starts_with("loop")) {
        let file = format!("/sys/block/{device}/loop/backing_file");
        let backing = fs::read_to_string(file).unwrap_or_default();
        if backing.contains(&format!("instances/{id}/")) {
            left.push(format!("{device} over {}", backing.trim()));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let folder = instance.display().to_string();
    left.extend(mounts.lines().filter(|m| m.contains(&folder)).map(|m| format!("mount {m}")));
    for folder in ["propagate", "unix-export"] {
        let traces = format!("/run/systemd/nspawn/{folder}");
        let of_it = names(&traces).into_iter().filter(|n| n.starts_with(id));
        left.extend(of_it.map(|n| format!("folder {traces}/{n}")));
    }
    left.extend(processes_that_mention(&folder));
    left
}

/// Processes with `text` in their command line, except this one and its parents.
#[must_use]
pub fn processes_that_mention(text: &str) -> Vec<String> {
    let mine = std::process::id().to_string();
    let mut found = Vec::new();
    for pid in names("/proc").into_iter().filter(|n| n.bytes().all(|b| b.is_ascii_digit())) {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if pid != mine && command.contains(text) {
            found.push(format!("process {pid}: {}", command.trim()));
        }
    }
    found
}

/// Why machines cannot run here; `None` when they can.
#[must_use]
pub fn machines_impossible() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("needs root".to_owned());
    }
    let missing =
        ["mmdebstrap", "systemd-nspawn", "nft", "ip", "mkfs.ext4"].into_iter().find(|p| !has(p));
    missing.map(|program| format!("needs {program}"))
}

/// Why no browser can be driven here; `None` when one can.
#[must_use]
pub fn browser_impossible() -> Option<String> {
    let missing = ["chromium", "chromedriver"].into_iter().find(|p| !has(p));
    missing.map(|program| format!("needs {program}"))
}

fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).exists())
}

pub(crate) fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().into_string().ok()).collect()
}
