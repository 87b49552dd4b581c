//! What `status` shows of a machine.

use crate::machine::systemd::Systemd;
use serde::{Deserialize, Serialize};
use std::fs;

/// Facts of a machine, read from /proc, its cgroup and systemd. A fact that cannot be read is empty
/// or `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub v: u32,
    /// /etc/hostname.
    pub hostname: String,
    /// Seconds since the machine (not its host) was started.
    pub uptime_s: u64,
    /// Differs after every boot. In a container it is the host's.
    pub boot_id: String,
    /// From the machine's cgroup where it has one with a memory controller, else from /proc/meminfo.
    pub memory_used_bytes: Option<u64>,
    pub memory_total_bytes: Option<u64>,
    /// Units in the state `failed`.
    pub failed_units: Vec<String>,
    /// Instance and generation of the manifest applied last.
    pub instance: Option<String>,
    pub generation: Option<u64>,
    /// systemd did not answer: why. `failed_units` says nothing then.
    pub error: Option<String>,
}

/// Reads the facts; takes some milliseconds.
pub async fn facts() -> Facts {
    let (instance, generation) = crate::ownership::applied();
    let (memory_used_bytes, memory_total_bytes) = memory();
    let units = async { Systemd::connect().await?.names(&["failed"]).await };
    let (failed_units, error) = match units.await {
        Ok(units) => (units, None),
        Err(failure) => (Vec::new(), Some(failure.to_string())),
    };
    Facts {
        v: andamio_manifest::VERSION,
        hostname: text("/etc/hostname"),
        uptime_s: uptime(),
        boot_id: text("/proc/sys/kernel/random/boot_id"),
        memory_used_bytes,
        memory_total_bytes,
        failed_units,
        instance,
        generation,
        error,
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn number(path: &str) -> Option<u64> {
    text(path).parse().ok()
}

/// The age of process 1: /proc/uptime is the host's in a container.
fn uptime() -> u64 {
    let stat = text("/proc/1/stat");
    // The second field is a name in brackets that may contain blanks; the 22nd is the start.
    let ticks: Option<u64> = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().nth(19))
        .and_then(|field| field.parse().ok());
    let now: Option<u64> =
        text("/proc/uptime").split('.').next().and_then(|seconds| seconds.parse().ok());
    // USER_HZ is 100 on every architecture that systemd runs on.
    now.unwrap_or_default().saturating_sub(ticks.unwrap_or_default() / 100)
}

fn memory() -> (Option<u64>, Option<u64>) {
    let used = number("/sys/fs/cgroup/memory.current");
    let limit = number("/sys/fs/cgroup/memory.max");
    if let (Some(used), Some(limit)) = (used, limit) {
        return (Some(used), Some(limit));
    }
    let info = text("/proc/meminfo");
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    let total = field("MemTotal");
    (total.zip(field("MemAvailable")).map(|(total, free)| total.saturating_sub(free)), total)
}
