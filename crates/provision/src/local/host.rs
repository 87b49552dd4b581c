//! What this host must be able to do, found out before anything is touched.

use super::error::{ROOM, short};
use super::reserve::Room;
use super::{LocalError, Roots, tool};
use andamio_spec::units::format_bytes;
use nix::unistd::geteuid;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// Something that is missing, with its remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Stable: `root`, `overlay`, `loop`, `namespaces`, `cgroup`, `disk`, `packages`.
    pub code: &'static str,
    pub message: String,
    pub help: String,
}

/// Program → Debian or Ubuntu package.
const PROGRAMS: [(&str, &str); 7] = [
    ("mmdebstrap", "mmdebstrap"),
    ("systemd-nspawn", "systemd-container"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mount", "mount"),
    ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
];
/// The image, and room for a machine to work.
const IMAGE_BYTES: u64 = 2_000_000_000;
const MACHINE_BYTES: u64 = 1_000_000_000;

/// Everything that stops machines from running here; empty when nothing does. `path` is the search
/// path of the caller. Reads only.
#[must_use]
pub fn preflight(roots: &Roots, machines: u64, have_image: bool) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut lacks = |code, message: String, help: &str| {
        missing.push(Missing { code, message, help: help.to_owned() });
    };
    if !geteuid().is_root() {
        lacks(
            "root",
            "machines on this host need root: namespaces, mounts and a bridge".to_owned(),
            "run the same command with sudo",
        );
    }
    let filesystems = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let loadable = Path::new("/lib/modules").is_dir();
    if !filesystems.lines().any(|l| l.ends_with("\toverlay")) && !loadable {
        lacks(
            "overlay",
            "this kernel has no overlay file system".to_owned(),
            "load it (modprobe overlay) or use a kernel that has it",
        );
    }
    if !Path::new("/dev/loop-control").exists() && !loadable {
        lacks(
            "loop",
            "this host has no loop devices (/dev/loop-control), which machines' disks need"
                .to_owned(),
            "load them (modprobe loop); inside a container, run it privileged with the host's /dev",
        );
    }
    for space in ["mnt", "net", "pid", "ipc", "uts"] {
        if !Path::new("/proc/self/ns").join(space).exists() {
            lacks(
                "namespaces",
                format!("this kernel has no {space} namespaces"),
                "use a kernel with namespaces; inside a container, run it privileged",
            );
        }
    }
    let v2 = ["/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs"];
    if !v2.iter().any(|f| Path::new(f).exists()) {
        lacks(
            "cgroup",
            "no cgroup v2 tree at /sys/fs/cgroup or /sys/fs/cgroup/unified".to_owned(),
            "mount it: mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        );
    }
    let needed = machines * MACHINE_BYTES + if have_image { 0 } else { IMAGE_BYTES };
    let data = Room::of(&roots.data);
    let free = data.free_bytes.min(free_bytes(&roots.cache));
    if data.is_short() {
        lacks("disk", short(&roots.data, &data), ROOM);
    } else if free < needed + data.reserve_bytes {
        lacks(
            "disk",
            format!(
                "{} are free below {}, {} are needed: {} for what is made, and {} are kept so that the machines' disks \
                 never find the host's full",
                format_bytes(free),
                roots.data.display(),
                format_bytes(needed + data.reserve_bytes),
                format_bytes(needed),
                format_bytes(data.reserve_bytes)
            ),
            ROOM,
        );
    }
    missing
}

/// Free bytes where `folder` is or would be.
pub(super) fn free_bytes(folder: &Path) -> u64 {
    Room::of(folder).free_bytes
}

/// Debian packages whose programs are not in `search` (the caller's PATH) nor in the system folders.
#[must_use]
pub fn missing_packages(search: &[PathBuf]) -> Vec<&'static str> {
    let system = tool::SYSTEM.map(PathBuf::from);
    let there =
        |program: &str| search.iter().chain(&system).any(|folder| folder.join(program).exists());
    PROGRAMS.iter().filter(|(program, _)| !there(program)).map(|&(_, package)| package).collect()
}

/// Installs host packages with apt.
///
/// # Errors
/// When this host has no apt, or apt fails.
pub async fn install(packages: &[&str]) -> Result<(), LocalError> {
    let arguments = ["install", "--yes", "--no-install-recommends"];
    let all: Vec<&str> = arguments.iter().chain(packages).copied().collect();
    if apt(&all).await.is_ok() {
        return Ok(());
    }
    // Usually the lists are missing or old.
    apt(&["update"]).await?;
    apt(&all).await
}

async fn apt(arguments: &[&str]) -> Result<(), LocalError> {
    let output = Command::new(tool::find("apt-get"))
        .args(arguments)
        .env("PATH", tool::PATH)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| LocalError::Spawn { program: "apt-get".to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().take(3).collect::<Vec<_>>();
    Err(LocalError::Tool {
        program: format!("apt-get {}", arguments.join(" ")),
        output: last.into_iter().rev().collect::<Vec<_>>().join(" / "),
    })
}
