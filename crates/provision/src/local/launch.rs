//! What runs in the process that becomes a machine: it joins the machine's control groups, makes
//! mounts that nobody else sees, and turns into systemd-nspawn.

use super::disk::Record;
use super::{LocalError, filesystem, tool};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::setsid;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Never comes back when it succeeds. Must be called before any thread is started, because the mount
/// namespace is that of the calling thread.
///
/// # Errors
/// When a group cannot be joined, a mount fails, or systemd-nspawn is not there.
pub fn launch(folder: &Path, groups: &[PathBuf]) -> Result<std::convert::Infallible, LocalError> {
    let record = Record::read(folder)?;
    // A machine outlives the command that started it, and its terminal.
    let _ = setsid();
    for group in groups {
        let procs = group.join("cgroup.procs");
        std::fs::write(&procs, std::process::id().to_string())
            .map_err(LocalError::io("join", &procs))?;
    }
    mounts(folder, &record)?;
    let program = tool::find("systemd-nspawn");
    let source =
        Command::new(program).args(arguments(folder, &record)).env("PATH", tool::PATH).exec();
    Err(LocalError::Spawn { program: "systemd-nspawn".to_owned(), source })
}

fn mounts(folder: &Path, record: &Record) -> Result<(), LocalError> {
    let failed = |errno: nix::Error| LocalError::Tool {
        program: "mount".to_owned(),
        output: errno.to_string(),
    };
    alone().map_err(failed)?;
    let image = folder.join(filesystem::IMAGE);
    let mut disk = folder.to_owned();
    // A machine that was made before has its layers in the folder itself.
    if image.exists() {
        disk = folder.join(filesystem::POINT);
        filesystem::mount(&image, &disk)?;
        // A drill that ended with its machine left it full.
        filesystem::unfill(&disk.join("upper"))?;
    }
    layers(folder, &disk, record).map_err(failed)
}

const NONE: Option<&str> = None;

/// A mount namespace of its own.
fn alone() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    // The guest's systemd wants a pure v2 tree; on a hybrid host it gets one of its own.
    while umount2("/sys/fs/cgroup", MntFlags::MNT_DETACH).is_ok() {}
    mount(Some("cgroup2"), "/sys/fs/cgroup", Some("cgroup2"), MsFlags::empty(), NONE)
}

/// The machine's root: the shared image, and what is its own over it.
fn layers(folder: &Path, disk: &Path, record: &Record) -> nix::Result<()> {
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        record.image.display(),
        disk.join("upper").display(),
        disk.join("work").display()
    );
    mount(
        Some("overlay"),
        &folder.join("root"),
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )
}

fn arguments(folder: &Path, record: &Record) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [
        "--quiet",
        // No systemd on the host is needed, and none is told.
        "--register=no",
        "--keep-unit",
        "--boot",
        "--private-users=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=pipe",
        "--kill-signal=SIGRTMIN+3",
        // Containers inside the machine mount their own overlays.
        "--capability=CAP_NET_ADMIN",
    ]
    .iter()
    .map(OsString::from)
    .collect();
    arguments.push(format!("--hostname={}", record.name).into());
    arguments.push(format!("--machine={}", record.guest).into());
    arguments.push(format!("--network-bridge={}", record.bridge).into());
    for (host, guest) in &record.binds {
        arguments.push(format!("--bind={}:{guest}", host.display()).into());
    }
    arguments.push("-D".into());
    arguments.push(folder.join("root").into());
    arguments
}
