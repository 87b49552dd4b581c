//! Signals as something that is read, in the order of their coming.

use crate::failure::{Context, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, BorrowedFd};

const WATCHED: [Signal; 7] = [
    Signal::SIGCHLD,
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

pub(super) enum Came {
    Child,
    /// A process sent it: signal, and the sender's id.
    Told(Signal, i32),
    /// The kernel sent it: a key at a terminal, or the terminal's end.
    Terminal(Signal),
}

pub(super) struct Signals(SignalFd);

impl Signals {
    /// From now on they no longer end this process, nor programs that it starts from now on. To be called while
    /// the process has one thread.
    pub(super) fn take() -> Result<Self> {
        let mask: SigSet = WATCHED.into_iter().collect();
        mask.thread_block().during("holding signals back")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self(SignalFd::with_flags(&mask, flags).during("watching signals")?))
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    pub(super) fn next(&self) -> Option<Came> {
        let info = self.0.read_signal().ok().flatten()?;
        let signal = Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()?;
        Some(match signal {
            Signal::SIGCHLD => Came::Child,
            // Zero and less: sent by a process.
            told if info.ssi_code <= 0 => {
                Came::Told(told, i32::try_from(info.ssi_pid).unwrap_or_default())
            }
            other => Came::Terminal(other),
        })
    }
}
