//! Who holds a lock, well enough to see whether that process is still there.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `user@host`, for people.
    pub by: String,
    /// The kernel's boot id: equal means the same machine since the same start.
    pub boot: String,
    pub pid: u32,
    /// Start of the process in clock ticks since boot, so that a reused pid is not taken for it.
    pub pid_start: u64,
    /// The kernel's name of the process numbers that `pid` is one of: a container has its own.
    #[serde(default)]
    pub pid_space: String,
}

impl Holder {
    /// This process.
    #[must_use]
    pub fn current(by: &str) -> Self {
        let pid = std::process::id();
        Self {
            by: by.to_owned(),
            boot: boot_id(),
            pid,
            pid_start: pid_start(pid).unwrap_or(0),
            pid_space: pid_space(),
        }
    }

    /// Stands for one whose record cannot be read.
    pub(super) fn unknown() -> Self {
        Self {
            by: "somebody unknown".to_owned(),
            boot: String::new(),
            pid: 0,
            pid_start: 0,
            pid_space: String::new(),
        }
    }

    /// Works on this machine, or did since it was started.
    pub(super) fn is_here(&self) -> bool {
        self.boot == boot_id()
    }

    /// Known to be dead. Whose numbers are not ours cannot be looked up; that one's lock expires.
    pub(super) fn dead(&self) -> bool {
        self.is_here()
            && self.pid_space == pid_space()
            && pid_start(self.pid) != Some(self.pid_start)
    }
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Field 22 of /proc/PID/stat, counted after the command name, which may hold spaces. `None` also for
/// a process that has ended and that its parent has not asked about yet.
fn pid_start(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// `pid:[4026531836]`: this process's numbers are those of this namespace (pid_namespaces(7)).
fn pid_space() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().into_owned()
}
