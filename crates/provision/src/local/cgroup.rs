//! Control groups: each machine has one of its own in every hierarchy, with its limits. Works with
//! cgroup v2 and with v1 controllers beside a v2 tree (hybrid).

use super::{LocalError, list};
use nix::libc;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const ROOT: &str = "/sys/fs/cgroup";
/// v1 hierarchies that carry limits; `pids` only so that a fork bomb is held.
const V1: [&str; 3] = ["memory", "cpu", "pids"];
/// Share of all machines together against other programs, where the host is busy: four times that of one
/// group beside them (1024 in v1, 100 in v2).
const SHARES: u64 = 4096;
const WEIGHT: u64 = 400;
/// Most processes and threads of one machine.
const TASKS: u64 = 8192;

fn hybrid() -> bool {
    Path::new(ROOT).join("unified/cgroup.procs").exists()
}

fn v2_root() -> PathBuf {
    if hybrid() { Path::new(ROOT).join("unified") } else { ROOT.into() }
}

fn v1_roots() -> Vec<PathBuf> {
    if !hybrid() {
        return Vec::new();
    }
    let roots = V1.iter().map(|c| Path::new(ROOT).join(c));
    roots.filter(|r| r.join("cgroup.procs").exists() || r.join("tasks").exists()).collect()
}

fn relative(id: &str, machine: &str) -> PathBuf {
    Path::new("andamio").join(id).join(machine)
}

fn unified(id: &str, machine: &str) -> PathBuf {
    v2_root().join(relative(id, machine))
}

/// Does any process of the machine live?
pub(super) fn populated(id: &str, machine: &str) -> bool {
    std::fs::read_to_string(unified(id, machine).join("cgroup.events"))
        .is_ok_and(|events| events.lines().any(|l| l == "populated 1"))
}

/// The machine's own root, seen from here.
pub(super) fn root(id: &str, machine: &str) -> Option<PathBuf> {
    Some(first(id, machine)?.join("root"))
}

/// The machine's first process, which it has as long as it runs: its folder in `/proc`.
pub(super) fn first(id: &str, machine: &str) -> Option<PathBuf> {
    let init = find(&unified(id, machine), "init.scope")?;
    let pids = std::fs::read_to_string(init.join("cgroup.procs")).ok()?;
    let processes = pids.lines().map(|pid| Path::new("/proc").join(pid));
    // A process that is on its way into the machine still has the host's.
    let of = |path: &Path| std::fs::metadata(path.join(".")).ok().map(|m| (m.dev(), m.ino()));
    let host = of(Path::new("/"));
    processes.into_iter().find(|it| of(&it.join("root")).is_some_and(|it| Some(it) != host))
}

/// The group of that name, at most two levels below.
fn find(group: &Path, name: &str) -> Option<PathBuf> {
    let children = || list(group).into_iter().map(|child| group.join(child));
    let below = |child: PathBuf| Some(child.join(name)).filter(|wanted| wanted.is_dir());
    Some(group.join(name)).filter(|wanted| wanted.is_dir()).or_else(|| children().find_map(below))
}

/// Machines of an instance that have a group, running or not.
pub(super) fn machines(id: &str) -> Vec<String> {
    let folder = v2_root().join("andamio").join(id);
    list(&folder).into_iter().filter(|n| folder.join(n).is_dir()).collect()
}

pub(super) fn any(id: &str) -> bool {
    let mut roots = v1_roots();
    roots.push(v2_root());
    roots.iter().any(|r| r.join("andamio").join(id).exists())
}

/// Resident memory that the machine is charged for, bytes; 0 when it cannot be read.
pub(super) fn memory(id: &str, machine: &str) -> u64 {
    let file = if hybrid() {
        Path::new(ROOT).join("memory").join(relative(id, machine)).join("memory.stat")
    } else {
        unified(id, machine).join("memory.stat")
    };
    let stat = std::fs::read_to_string(file).unwrap_or_default();
    let value = |key: &str| {
        let line = stat.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' '));
        line.and_then(|v| v.trim().parse::<u64>().ok())
    };
    // Page cache is the host's to take back; what counts is memory that nothing else could use.
    value("total_rss").or_else(|| value("anon")).unwrap_or(0)
}

/// Processes and threads of the machine, and how many it may have; `None` without a controller for them.
pub(super) fn tasks(id: &str, machine: &str) -> Option<(u64, u64)> {
    let group = if hybrid() {
        Path::new(ROOT).join("pids").join(relative(id, machine))
    } else {
        unified(id, machine)
    };
    let number = |file: &str| {
        let text = std::fs::read_to_string(group.join(file)).ok()?;
        text.trim().parse().ok()
    };
    Some((number("pids.current")?, number("pids.max")?))
}

/// Fresh, empty groups with limits and a weight against the other machines, 100 for most; the paths whose `cgroup.procs` the machine's launcher joins.
pub(super) fn create(
    id: &str,
    machine: &str,
    memory_bytes: u64,
    vcpu: u32,
    weight: u64,
) -> Result<Vec<PathBuf>, LocalError> {
    // A group that was killed once must not be used again.
    remove(id, machine);
    let group = unified(id, machine);
    make(&group)?;
    let mut joined = vec![group.clone()];
    let quota = u64::from(vcpu) * 100_000;
    if hybrid() {
        for root in v1_roots() {
            let group = root.join(relative(id, machine));
            make(&group)?;
            match root.file_name().and_then(|n| n.to_str()) {
                Some("memory") => write(&group, "memory.limit_in_bytes", memory_bytes)?,
                Some("cpu") => {
                    write(&root.join("andamio"), "cpu.shares", SHARES)?;
                    // A weight of 100 is 1024 shares.
                    write(&group, "cpu.shares", weight * 1024 / 100)?;
                    write(&group, "cpu.cfs_quota_us", quota)?;
                }
                Some("pids") => write(&group, "pids.max", TASKS)?,
                _ => {}
            }
            joined.push(group);
        }
    } else {
        for level in ["", "andamio", &format!("andamio/{id}")] {
            let folder = Path::new(ROOT).join(level);
            for controller in ["+memory", "+cpu", "+pids"] {
                // One that is missing shows when its limit is written.
                let _ = std::fs::write(folder.join("cgroup.subtree_control"), controller);
            }
        }
        write(&Path::new(ROOT).join("andamio"), "cpu.weight", WEIGHT)?;
        write(&group, "memory.max", memory_bytes)?;
        write(&group, "cpu.weight", weight)?;
        write(&group, "cpu.max", format!("{quota} 100000"))?;
        write(&group, "pids.max", TASKS)?;
    }
    Ok(joined)
}

/// Stops every process of the machine where it is, or lets them go on; a machine that does not run stays so.
pub(super) fn freeze(id: &str, machine: &str, frozen: bool) -> Result<(), LocalError> {
    let group = unified(id, machine);
    if !group.exists() {
        return Ok(());
    }
    write(&group, "cgroup.freeze", u8::from(frozen))
}

/// Kills every process of the machine and removes its groups.
pub(super) async fn kill(id: &str, machine: &str) -> Result<(), LocalError> {
    const PATIENCE: Duration = Duration::from_secs(15);
    const LOOK: Duration = Duration::from_millis(10);
    let group = unified(id, machine);
    if group.exists() {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        write(&group, "cgroup.kill", 1)?;
        while populated(id, machine) {
            if tokio::time::Instant::now() > deadline {
                return Err(LocalError::Stuck {
                    machine: machine.to_owned(),
                    seconds: PATIENCE.as_secs(),
                });
            }
            // The file can be polled, but only from a thread of its own; killing takes a few ms.
            tokio::time::sleep(LOOK).await;
        }
    }
    remove(id, machine);
    Ok(())
}

/// Removes the instance's folder in every hierarchy, and `andamio` itself when it was the last.
pub(super) fn remove_instance(id: &str) {
    let mut roots = v1_roots();
    roots.push(v2_root());
    for root in roots {
        let _ = std::fs::remove_dir(root.join("andamio").join(id));
        let _ = std::fs::remove_dir(root.join("andamio"));
    }
}

fn remove(id: &str, machine: &str) {
    let mut roots = v1_roots();
    roots.push(v2_root());
    for root in roots {
        remove_tree(&root.join(relative(id, machine)));
    }
}

/// Depth first: a group with children cannot be removed, and its files never are.
fn remove_tree(group: &Path) {
    for name in list(group) {
        let child = group.join(name);
        if child.is_dir() {
            remove_tree(&child);
        }
    }
    let _ = std::fs::remove_dir(group);
}

fn make(group: &Path) -> Result<(), LocalError> {
    std::fs::create_dir_all(group).map_err(LocalError::io("create the control group", group))
}

fn write(group: &Path, file: &str, value: impl std::fmt::Display) -> Result<(), LocalError> {
    let path = group.join(file);
    match std::fs::write(&path, value.to_string()) {
        // The controller is not there: the machine runs without that limit, as `status` shows.
        Err(e)
            if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::EACCES))
                && file != "cgroup.kill" =>
        {
            Ok(())
        }
        other => other.map_err(LocalError::io("write", path)),
    }
}
