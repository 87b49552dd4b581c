//! What runs in a machine, seen from the host: its processes by their control group, and its files through
//! one of them. Nothing of it needs the machine's help, so it also works when nobody answers there.

use crate::command::{self, Ended};
use crate::{Sandbox, host};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A process of a machine, as the host numbers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub command: String,
}

impl Process {
    /// Nothing of it can react.
    pub fn kill(&self) {
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
    }

    /// A path of the machine, as this process sees it.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string()).join("root").join(path)
    }
}

impl Sandbox {
    /// All processes of a machine that runs.
    #[must_use]
    pub fn processes(&self, env: &str, machine: &str) -> Vec<Process> {
        let id = self.id(env);
        let roots = ["unified", ""].map(|r| Path::new("/sys/fs/cgroup").join(r));
        let mut groups = roots.map(|r| r.join("andamio").join(&id).join(machine)).to_vec();
        let mut found = Vec::new();
        while let Some(group) = groups.pop() {
            let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            for pid in text.lines().filter_map(|line| line.parse().ok()) {
                let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let command = String::from_utf8_lossy(&command).replace('\0', " ");
                found.push(Process { pid, command });
            }
            let names = host::names(&group.display().to_string()).into_iter();
            groups.extend(names.map(|n| group.join(n)).filter(|path| path.is_dir()));
        }
        found
    }

    /// The first process whose command line has all of these words.
    #[must_use]
    pub fn process(&self, env: &str, machine: &str, words: &[&str]) -> Option<Process> {
        let processes = self.processes(env, machine);
        processes.into_iter().find(|p| words.iter().all(|word| p.command.contains(word)))
    }

    /// The machine's own first process.
    #[must_use]
    pub fn first(&self, env: &str, machine: &str) -> Process {
        let is_first = |p: &Process| {
            let status = fs::read_to_string(format!("/proc/{}/status", p.pid)).unwrap_or_default();
            let numbers = status.lines().find_map(|l| l.strip_prefix("NSpid:")).unwrap_or_default();
            numbers.split_whitespace().count() > 1 && numbers.split_whitespace().last() == Some("1")
        };
        let first = self.processes(env, machine).into_iter().find(is_first);
        first.expect("the machine's first process")
    }

    /// A shell line in a machine, without SSH.
    pub fn enter(&self, env: &str, machine: &str, line: &str) -> Ended {
        self.enter_within(env, machine, line, Duration::from_secs(30))
    }

    /// The same for what takes longer.
    pub fn enter_within(&self, env: &str, machine: &str, line: &str, deadline: Duration) -> Ended {
        let first = self.first(env, machine);
        let mut command = Command::new("nsenter");
        command.args(["--all", "--target", &first.pid.to_string(), "sh", "-ec", line]);
        command::run(command, deadline).expect(0)
    }
}
