//! The first process of a one-off's container. The kernel keeps signals that nobody handles from a first process,
//! so that a program in its place would not end by Ctrl-C; as its child it does.

use super::signals::{Came, Signals};
use super::{code, pid};
use crate::failure::{Context, Failure, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::kill;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::Command;

/// Runs the command to its end, passing signals on and burying orphans; its exit status, or 128 + signal.
///
/// # Errors
/// When it cannot be started: 127 is for a program that is not there, 126 for one that cannot run.
pub fn first(command: &[OsString]) -> std::result::Result<u8, (u8, Failure)> {
    let other = |failure| (126, failure);
    let (program, arguments) =
        command.split_first().ok_or_else(|| (127, Failure::new("no command")))?;
    let started = Command::new(program).args(arguments).spawn();
    let child = started.map_err(|error| {
        let code = if error.kind() == ErrorKind::NotFound { 127 } else { 126 };
        (code, Failure::new(format!("{}: {error}", program.display())))
    })?;
    let main = pid(child.id());
    // After the start: what is held back here would be held back there.
    let signals = Signals::take().map_err(other)?;
    loop {
        while let Some(came) = signals.next() {
            match came {
                Came::Told(signal, _) => drop(kill(main, signal)),
                // What a terminal sends came to the command as well.
                Came::Child | Came::Terminal(_) => {}
            }
        }
        if let Some(status) = bury(main) {
            return Ok(status);
        }
        wait(&signals).map_err(other)?;
    }
}

fn wait(signals: &Signals) -> Result<()> {
    let mut one = [PollFd::new(signals.file(), PollFlags::POLLIN)];
    match poll(&mut one, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error).during("waiting for signals"),
    }
}

fn bury(main: nix::unistd::Pid) -> Option<u8> {
    let mut ended = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(_) => return ended,
            Ok(status) if status.pid() == Some(main) => ended = code(status).or(ended),
            Ok(_) => {}
        }
    }
}
