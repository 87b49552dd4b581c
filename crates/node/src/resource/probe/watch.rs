//! What a unit does while it is waited for: whether it stays, how it ended, and whether it has come to rest.

use super::cause::Exit;
use super::cause::sockets::{self, Seen};
use crate::machine::systemd::{Service, Systemd};
use crate::machine::{Machine, Mode};
use andamio_manifest::{Kind, Probe};
use std::fs;
use std::time::{Duration, Instant};

/// A unit that ended so often while it was waited for does not stay: with systemd's pauses in between that
/// takes some eight seconds when it ends at once.
const ENDED: u32 = 4;
/// One that runs so long without ending, and does next to nothing meanwhile, has come up as far as it will. And
/// one that ended twice within it does not stay.
const SETTLES: Duration = Duration::from_secs(10);
/// Of a processor within [`SETTLES`]: who uses more is still starting. Being asked ten times a second costs less.
const IDLE: Duration = Duration::from_secs(2);
/// Between two looks at its processes.
const LOOKS: Duration = Duration::from_secs(1);
/// From the kernel's kill until systemd has heard of it from the container's monitor.
const HEARD: Duration = Duration::from_secs(3);

pub(crate) struct Watch {
    /// When it was first looked at.
    begun: Instant,
    /// How often it had been started again by then.
    before: u32,
    now: u32,
    /// Since when it has been seen to run without ending.
    pub(super) since: Instant,
    /// Since when its sockets have been the same and it has done next to nothing; what it had used by then.
    rests: Option<(Instant, Seen)>,
    /// When its processes were last looked at.
    looked: Option<Instant>,
    /// How it ended last.
    exit: Option<Exit>,
    /// The kernel's count of processes killed for memory, and when it grew.
    kills: u64,
    killed: Option<Instant>,
}

/// Looks at the units of all probes of the role at work: what they do while another one is waited for counts too.
/// A check waits for nothing, so it does not look.
pub(super) async fn look_all(machine: &mut Machine) {
    if machine.mode != Mode::Apply {
        return;
    }
    let manifest = machine.manifest.clone();
    let Ok(systemd) = machine.systemd().await else { return };
    let of_role = manifest.resources.iter().filter(|resource| resource.role == machine.current.1);
    let units = of_role.filter_map(|resource| match &resource.kind {
        Kind::Probe(Probe { unit: Some(unit), .. }) => Some(unit),
        _ => None,
    });
    for unit in units.cloned().collect::<Vec<_>>() {
        let Ok(service) = systemd.service(&unit).await else { continue };
        // Who was started just now has ended as often as systemd says; others are judged from here on.
        let before = if machine.changes(&format!("unit:{unit}")) { 0 } else { service.restarts };
        let watch = machine.watches.entry(unit.clone()).or_insert_with(|| Watch::new(before));
        watch.look(&unit, &service, kills());
    }
}

/// How the unit's process ended, as far as systemd still knows; for one that did not even start.
pub(crate) async fn last_exit(systemd: &Systemd, unit: &str) -> Option<Exit> {
    exit(&systemd.service(unit).await.ok()?, false)
}

fn exit(service: &Service, out_of_memory: bool) -> Option<Exit> {
    (service.code != 0).then(|| Exit {
        by_signal: service.code != 1,
        status: service.status,
        result: service.result.clone(),
        out_of_memory,
    })
}

impl Watch {
    fn new(before: u32) -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            before,
            now: before,
            since: now,
            rests: None,
            looked: None,
            exit: None,
            kills: kills(),
            killed: None,
        }
    }

    fn look(&mut self, unit: &str, service: &Service, kills: u64) {
        if kills > self.kills {
            self.killed = Some(Instant::now());
        }
        let ended = exit(service, self.killed.is_some_and(|at| at.elapsed() < HEARD));
        if service.restarts != self.now || ended.is_some() {
            self.since = Instant::now();
            (self.rests, self.looked) = (None, None);
        }
        // Somebody may have started it anew meanwhile, which counts from nothing.
        self.before = self.before.min(service.restarts);
        let runs = ended.is_none();
        match (&mut self.exit, ended) {
            // The same end is seen many times.
            (Some(old), Some(new)) if service.restarts == self.now => {
                *old = Exit { out_of_memory: old.out_of_memory || new.out_of_memory, ..new };
            }
            (old, Some(new)) => *old = Some(new),
            (_, None) => {}
        }
        (self.now, self.kills) = (service.restarts, kills);
        if runs && self.looked.is_none_or(|at| at.elapsed() >= LOOKS) {
            self.looked = Some(Instant::now());
            let seen = sockets::look(unit);
            let same = self.rests.as_ref().is_some_and(|(_, before)| {
                before.listens == seen.listens && seen.used.saturating_sub(before.used) < IDLE
            });
            if !same {
                self.rests = Some((Instant::now(), seen));
            }
        }
    }

    /// How often it ended since the first look.
    pub(super) fn ended(&self) -> u32 {
        self.now.saturating_sub(self.before)
    }

    pub(super) fn does_not_stay(&self) -> bool {
        self.ended() >= ENDED || (self.ended() >= 2 && self.begun.elapsed() >= SETTLES)
    }

    /// It runs, and nothing will change any more by itself.
    pub(super) fn has_settled(&self) -> bool {
        self.rests.as_ref().is_some_and(|(since, _)| since.elapsed() >= SETTLES)
    }

    /// How it ended last, unless it has run for long since.
    pub(super) fn recent_exit(&self) -> Option<Exit> {
        self.exit.clone().filter(|_| self.since.elapsed() < SETTLES)
    }

    /// For how long it has been waited for.
    pub(super) fn waited(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// Processes that the kernel has killed for memory so far.
fn kills() -> u64 {
    count(&fs::read_to_string("/proc/vmstat").unwrap_or_default())
}

fn count(vmstat: &str) -> u64 {
    let mut lines = vmstat.lines().filter_map(|line| line.strip_prefix("oom_kill "));
    lines.next().and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(restarts: u32, code: i32, status: i32) -> Service {
        Service { restarts, code, status, result: "exit-code".to_owned() }
    }

    #[test]
    fn ends_are_counted_and_the_last_one_is_kept() {
        let mut watch = Watch::new(0);
        watch.look("no.service", &ended(0, 0, 0), 7);
        assert!(watch.exit.is_none() && watch.ended() == 0);
        watch.look("no.service", &ended(0, 1, 137), 8);
        watch.look("no.service", &ended(0, 1, 137), 8);
        assert!(watch.exit.as_ref().is_some_and(Exit::is_memory));
        watch.look("no.service", &ended(1, 0, 0), 8);
        assert!(watch.exit.as_ref().is_some_and(Exit::is_memory) && watch.ended() == 1);
        watch.look("no.service", &ended(4, 1, 1), 8);
        assert!(watch.does_not_stay() && !watch.exit.as_ref().is_some_and(Exit::is_memory));
        // Started anew by somebody: nothing counts against it.
        watch.look("no.service", &ended(0, 0, 0), 8);
        assert!(!watch.does_not_stay() && !watch.has_settled());
        assert_eq!(count("nr_free 1\noom_kill 12\noom 3\n"), 12);
    }
}
