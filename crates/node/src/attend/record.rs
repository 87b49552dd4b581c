//! Where signals find an attended command, and where a container that nobody attends any more is found again.
//!
//! A record is a file that its writer holds locked while it lives, with its process id in it. Records of
//! containers outlive a boot, as what is left of a container does.

use crate::failure::{Context, Failure, Result};
use crate::{RUNTIME, STATE};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A signal may come before the command has a record.
const SOON: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_millis(20);

fn folder(container: bool) -> PathBuf {
    if container { Path::new(STATE).join("runs") } else { Path::new(RUNTIME).join("attended") }
}

pub(super) struct Record {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Record {
    /// `None` where none can be written: the disk is full, for example.
    pub(super) fn make(token: &str, container: Option<&str>) -> Option<Self> {
        let folder = folder(container.is_some());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
        // Under its name only when it is locked and complete.
        let (path, draft) = (folder.join(token), folder.join(format!(".{token}")));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).ok()?;
        let mut lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
        let text = format!("{}\n{}\n", std::process::id(), container.unwrap_or_default());
        lock.write_all(text.as_bytes()).and_then(|()| fs::rename(&draft, &path)).ok()?;
        Some(Self { path, _lock: lock })
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Containers whose attendant died go away, with their records.
pub(super) fn clear() {
    let Ok(entries) = fs::read_dir(folder(true)) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_draft = path.file_name().is_none_or(|n| n.as_encoded_bytes().starts_with(b"."));
        let Some((_lock, text)) = free(&path).filter(|_| !is_draft) else { continue };
        match text.lines().nth(1) {
            Some(name) if !name.is_empty() && !remove_container(name) => {}
            _ => drop(fs::remove_file(&path)),
        }
    }
}

/// The lock of a record that nobody holds, and what it says.
fn free(path: &Path) -> Option<(Flock<File>, String)> {
    let mut lock = Flock::lock(File::open(path).ok()?, FlockArg::LockExclusiveNonblock).ok()?;
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    Some((lock, text))
}

/// True when there is none of that name any more.
pub(super) fn remove_container(name: &str) -> bool {
    let mut command = Command::new("podman");
    command.args(["rm", "--force", "--ignore", "--time=0", name]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Passes a signal (`INT`, `TERM`, `HUP` or `QUIT`) on to an attended command.
///
/// # Errors
/// When there is no command of that token, or no such signal.
pub fn pass(token: &str, signal: &str) -> Result<()> {
    let signal: Signal = format!("SIG{signal}").parse().during("reading the signal's name")?;
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(Failure::new("that is no token"));
    }
    let begin = Instant::now();
    loop {
        let paths = [false, true].map(|container| folder(container).join(token));
        if let Some(path) = paths.iter().find(|path| path.exists()) {
            // One that nobody holds is of a command that has ended.
            if free(path).is_some() {
                return Ok(());
            }
            let text = fs::read_to_string(path).unwrap_or_default();
            let pid = text.lines().next().and_then(|line| line.parse().ok());
            let pid = pid.ok_or_else(|| Failure::new("that record is not whole"))?;
            return kill(Pid::from_raw(pid), signal).during("passing the signal on");
        }
        if begin.elapsed() > SOON {
            return Err(Failure::new("no command of that token runs here"));
        }
        std::thread::sleep(INTERVAL);
    }
}
