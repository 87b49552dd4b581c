//! A person's command on this machine, for as long as somebody is connected with it.
//!
//! The command has the connection's own input and output; nothing is copied in between. What is watched is the
//! connection: signals that arrive over another one are passed on to the command, and when the operator's side is
//! gone, the command and everything that it started goes too. What has detached itself before that (a session of
//! its own, and whoever started it is gone) stays, as a daemon would; so does what the command left behind when it
//! ended by itself.

mod family;
mod first;
mod record;
mod signals;

pub use first::first;
pub use record::pass;

use crate::failure::{Context, Failure, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getsid, tcgetpgrp};
use record::Record;
use signals::{Came, Signals};
use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a command may take to end after it was told to: as long as container engines give.
const GRACE: Duration = Duration::from_secs(10);
/// The same when nobody is connected any more.
const ALONE: Duration = Duration::from_secs(5);
/// How often it is looked whether all have ended.
const LOOK: Duration = Duration::from_millis(50);
/// Kills are repeated: whoever was just being started is seen by the next.
const AGAIN: Duration = Duration::from_millis(200);
const KILLS: u32 = 25;

/// What is run, and how it is known.
pub struct Order<'a> {
    /// By which signals find it.
    pub token: &'a str,
    /// The container that the command makes, if it makes one.
    pub container: Option<&'a str>,
    /// Program and arguments.
    pub command: &'a [String],
    /// Standard output: the connection.
    pub output: BorrowedFd<'a>,
    /// Input and output are a terminal.
    pub terminal: bool,
}

/// Runs the command to its end; its exit status, or 128 + signal.
///
/// # Errors
/// When processes cannot be watched here.
pub fn attend(order: &Order<'_>) -> Result<u8> {
    // Whoever loses a parent becomes a child of this process, so that it stays in sight.
    set_child_subreaper(true).during("becoming the parent of orphans")?;
    if order.container.is_some() {
        record::clear();
    }
    let own = getpid();
    let Some(main) = start(order)? else { return Ok(127) };
    // After the start: what is held back here would be held back there.
    let signals = Signals::take()?;
    // Without a record no signal finds the command; that it ends with the connection still holds.
    let record = Record::make(order.token, order.container);
    let mut attended = Attended {
        order,
        own,
        session: getsid(None).unwrap_or(own),
        main,
        status: None,
        ending: None,
        connected: true,
    };
    attended.reap();
    attended.watch(&signals);
    attended.remove_container();
    drop(record);
    Ok(attended.status.unwrap_or(128 + 9))
}

/// `None` when there is no such program, which is said where the command would have spoken.
fn start(order: &Order<'_>) -> Result<Option<Pid>> {
    let (program, arguments) =
        order.command.split_first().ok_or_else(|| Failure::new("no command"))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::inherit());
    if !order.terminal {
        // One signal then reaches all of it. A terminal does that by itself, to who is in front.
        command.process_group(0);
    }
    match command.spawn() {
        Ok(child) => Ok(Some(pid(child.id()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(format!("starting {program}: {error}"))),
    }
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap_or(i32::MAX))
}

struct Attended<'a> {
    order: &'a Order<'a>,
    own: Pid,
    session: Pid,
    main: Pid,
    status: Option<u8>,
    ending: Option<Ending>,
    connected: bool,
}

/// Since it was told to end.
struct Ending {
    kill_at: Instant,
    kills: u32,
    /// Daemons by then.
    detached: Vec<i32>,
}

impl Attended<'_> {
    fn watch(&mut self, signals: &Signals) {
        loop {
            while let Some(came) = signals.next() {
                match came {
                    Came::Child => self.reap(),
                    Came::Told(signal, by) if by != self.own.as_raw() => self.pass(signal),
                    // The terminal is gone; other signals of a terminal reached the command as well.
                    Came::Terminal(Signal::SIGHUP) => self.lost(),
                    Came::Told(..) | Came::Terminal(_) => {}
                }
            }
            let patience = match (&mut self.ending, self.status) {
                (None, Some(_)) => return,
                (None, None) => None,
                (Some(ending), status) => {
                    let family = family::family(
                        &family::table(),
                        self.own.as_raw(),
                        self.session.as_raw(),
                        &ending.detached,
                    );
                    if (status.is_some() && family.is_empty()) || ending.kills == KILLS {
                        return;
                    }
                    let now = Instant::now();
                    if now >= ending.kill_at {
                        send(&family, &[Signal::SIGKILL]);
                        ending.kills += 1;
                        ending.kill_at = now + AGAIN;
                    }
                    let left = ending.kill_at.saturating_duration_since(now);
                    Some(if status.is_some() { left.min(LOOK) } else { left })
                }
            };
            if self.wait(signals, patience) {
                self.lost();
            }
        }
    }

    /// Until a signal comes or the time is over; true: the connection is gone.
    fn wait(&self, signals: &Signals, patience: Option<Duration>) -> bool {
        let timeout = patience.map_or(PollTimeout::NONE, |time| {
            PollTimeout::try_from(time + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        let mut both = [
            PollFd::new(signals.file(), PollFlags::POLLIN),
            PollFd::new(self.order.output, PollFlags::empty()),
        ];
        // An end of the connection that was seen once is seen at each look.
        let watched = if self.connected { &mut both[..] } else { &mut both[..1] };
        let _ = poll(watched, timeout);
        let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        self.connected && both[1].revents().is_some_and(|came| came.intersects(gone))
    }

    fn reap(&mut self) {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return,
                Ok(status) if status.pid() == Some(self.main) => {
                    self.status = code(status).or(self.status);
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// What the operator was told, the command is told.
    fn pass(&mut self, signal: Signal) {
        self.begin_ending(GRACE);
        let group = if self.order.terminal { tcgetpgrp(self.order.output).ok() } else { None };
        let _ = killpg(group.unwrap_or(self.main), signal);
        let _ = killpg(group.unwrap_or(self.main), Signal::SIGCONT);
    }

    /// Nobody is there any more.
    fn lost(&mut self) {
        self.connected = false;
        self.begin_ending(ALONE);
        if let Some(ending) = &self.ending {
            let (own, session) = (self.own.as_raw(), self.session.as_raw());
            let family = family::family(&family::table(), own, session, &ending.detached);
            send(&family, &[Signal::SIGHUP, Signal::SIGTERM, Signal::SIGCONT]);
        }
    }

    fn begin_ending(&mut self, grace: Duration) {
        let kill_at = Instant::now() + grace;
        match &mut self.ending {
            Some(ending) => ending.kill_at = ending.kill_at.min(kill_at),
            None => {
                let (own, session) = (self.own.as_raw(), self.session.as_raw());
                let detached = family::detached(&family::table(), own, self.main.as_raw(), session);
                self.ending = Some(Ending { kill_at, kills: 0, detached });
            }
        }
    }

    /// It goes by itself when its command ends; not when it, or who made it, was killed.
    fn remove_container(&self) {
        let killed = self.ending.is_some() || self.status.is_none_or(|code| code > 128);
        if let (Some(name), true) = (self.order.container, killed) {
            record::remove_container(name);
        }
    }
}

fn send(family: &[i32], signals: &[Signal]) {
    for signal in signals {
        for process in family {
            let _ = kill(Pid::from_raw(*process), *signal);
        }
    }
}

/// As a shell says it.
fn code(status: WaitStatus) -> Option<u8> {
    match status {
        WaitStatus::Exited(_, code) => u8::try_from(code).ok(),
        WaitStatus::Signaled(_, signal, _) => u8::try_from(128 + signal as i32).ok(),
        _ => None,
    }
}
