//! One run: every resource in order, observed, compared, changed and observed again.

mod drive;
mod settle;

use crate::diff::Diff;
use crate::failure::{Failure, Result};
use crate::kept;
use crate::machine::{Machine, Mode};
use crate::operator::hangup::Hangup;
use crate::ownership;
use crate::resource::{Resource as Kinded, agent, probe};
use crate::secret::Mask;
use andamio_manifest::{Cause, Event, Kind, Manifest, Outcome, Report, Resource, VERSION};
use drive::channel;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Instant;

/// Takes the events of a run. `Break`: nobody listens any more; the resource at work is finished,
/// and no other is begun.
pub type Out<'a> = dyn FnMut(Event) -> ControlFlow<()> + 'a;

/// Makes the machine what the manifest says, or with [`Mode::Check`] says what differs.
///
/// Resources are taken in order. After a failure the later ones of the same role are skipped, but for the probes
/// after one that failed, and other roles go on (a check skips nothing: it shows all that is wrong). The last event is
/// [`Event::Done`] with the report that is returned. Needs a tokio runtime with time and I/O; the
/// future is not `Send`.
///
/// Refused, as [`Report::error`]: another machine's manifest, a machine of another instance, and in
/// [`Mode::Apply`] an older generation or the same one with other content.
pub async fn apply(mut manifest: Manifest, mode: Mode, out: &mut Out<'_>) -> Report {
    let begin = Instant::now();
    if mode == Mode::Check {
        agent::decide(&mut manifest);
    }
    let filled = kept::fill(&mut manifest, mode);
    let mask = Mask::new(&manifest);
    let mut run = Run { out, mask, hangup: Hangup::new(), report: Report::default(), gone: false };
    run.report.v = VERSION;
    let done = match filled {
        Ok(()) => run.all(Rc::new(manifest), mode).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = done {
        run.report.error = Some(run.mask.hide(failure.to_string()));
    }
    run.report.ms = ms(begin);
    let report = run.report.clone();
    let _ = (run.out)(Event::Done(report.clone()));
    report
}

struct Run<'a, 'o> {
    out: &'a mut Out<'o>,
    mask: Mask,
    hangup: Hangup,
    report: Report,
    gone: bool,
}

/// How one resource came out.
struct Done {
    outcome: Outcome,
    diff: Diff,
    message: String,
    cause: Option<Cause>,
    confirm: Option<String>,
}

impl Done {
    fn new(outcome: Outcome, diff: Diff, message: String) -> Self {
        Self { outcome, diff, message, cause: None, confirm: None }
    }

    fn failed(diff: Diff, failure: &Failure) -> Self {
        Self { cause: failure.cause(), ..Self::new(Outcome::Failed, diff, failure.to_string()) }
    }
}

impl Run<'_, '_> {
    async fn all(&mut self, manifest: Rc<Manifest>, mode: Mode) -> Result<()> {
        ownership::check(&manifest)?;
        // Held until the end of the run.
        let _lock = match mode {
            Mode::Check => None,
            Mode::Apply => {
                let lock = ownership::lock(|doing| self.started("node", &doing, true)).await?;
                if !manifest.part {
                    ownership::claim(&manifest)?;
                }
                Some(lock)
            }
        };
        let known = ownership::known();
        let mut machine = Machine::new(Rc::clone(&manifest), mode, known);
        let mut failed_roles: BTreeSet<&str> = BTreeSet::new();
        let mut unready_roles: BTreeSet<&str> = BTreeSet::new();
        for resource in &manifest.resources {
            if self.stopped() {
                return Err(Failure::new(format!(
                    "the operator went away before {}: run it again to go on from there",
                    resource.id()
                )));
            }
            let begin = Instant::now();
            machine.current = (resource.id(), resource.role.clone());
            // Of several services each says by itself why it does not answer.
            let is_probe = matches!(resource.kind, Kind::Probe(_));
            let fails = failed_roles.contains(&*resource.role)
                || (!is_probe && unready_roles.contains(&*resource.role));
            let done = if mode == Mode::Apply && fails {
                let message = format!("something before it in role {} failed", resource.role);
                Done::new(Outcome::Skipped, Diff::default(), message)
            } else {
                self.dispatch(resource, &mut machine).await
            };
            if done.outcome == Outcome::Failed {
                let roles = if is_probe { &mut unready_roles } else { &mut failed_roles };
                roles.insert(&resource.role);
            }
            if matches!(done.outcome, Outcome::Failed | Outcome::Skipped) {
                machine.note_failure(resource);
            }
            self.finish(resource, done, ms(begin));
        }
        settle::settle(&mut machine).await
    }

    async fn dispatch(&mut self, resource: &Resource, machine: &mut Machine) -> Done {
        if let Some((outcome, why)) = kept::unknown(&machine.manifest, resource) {
            if outcome == Outcome::Changed {
                machine.note_change(resource);
            }
            return Done::new(outcome, Diff::default(), why.to_owned());
        }
        match &resource.kind {
            Kind::Agent(item) => self.one(resource, item, machine).await,
            Kind::Package(item) => self.one(resource, item, machine).await,
            Kind::File(item) => self.one(resource, item, machine).await,
            Kind::Directory(item) => self.one(resource, item, machine).await,
            Kind::Store(item) => self.one(resource, item, machine).await,
            Kind::User(item) => self.one(resource, item, machine).await,
            Kind::Group(item) => self.one(resource, item, machine).await,
            Kind::Sysctl(item) => self.one(resource, item, machine).await,
            Kind::Firewall(item) => self.one(resource, item, machine).await,
            Kind::Unit(item) => self.one(resource, item, machine).await,
            Kind::Identity(item) => self.one(resource, item, machine).await,
            Kind::Image(item) => self.one(resource, item, machine).await,
            Kind::KeptFolder(item) => self.one(resource, item, machine).await,
            Kind::Secrets(item) => self.one(resource, item, machine).await,
            Kind::Mariadb(item) => self.one(resource, item, machine).await,
            Kind::Redis(item) => self.one(resource, item, machine).await,
            Kind::Rabbitmq(item) => self.one(resource, item, machine).await,
            Kind::RedisCluster(item) => self.one(resource, item, machine).await,
            Kind::RabbitmqCluster(item) => self.one(resource, item, machine).await,
            Kind::Probe(item) => {
                let (say, lines) = channel();
                let work = probe::wait(item, machine, &say);
                let doing = format!("waiting for {}", item.name);
                let left = Err(Failure::new("the operator went away"));
                let result =
                    self.drive(&resource.id(), doing, (false, Some(left)), lines, work).await;
                match result {
                    Ok((outcome, message)) => Done::new(outcome, Diff::default(), message),
                    Err(failure) => Done::failed(Diff::default(), &failure),
                }
            }
        }
    }

    async fn one(
        &mut self,
        resource: &Resource,
        item: &impl Kinded,
        machine: &mut Machine,
    ) -> Done {
        let mut shown = Diff::default();
        match self.converge(resource, item, machine, &mut shown).await {
            Ok(None) => Done::new(Outcome::Ok, shown, String::new()),
            Ok(Some(message)) => Done {
                confirm: item.unconfirmed(machine),
                ..Done::new(Outcome::Changed, shown, message)
            },
            Err(failure) => Done::failed(shown, &failure),
        }
    }

    /// Returns the message of a change, or `None` when there was nothing to do.
    async fn converge(
        &mut self,
        resource: &Resource,
        item: &impl Kinded,
        machine: &mut Machine,
        shown: &mut Diff,
    ) -> Result<Option<String>> {
        let id = resource.id();
        let (_say, lines) = channel();
        let looking = item.diff(machine);
        let diff = self.drive(&id, "looking at it".into(), (false, None), lines, looking).await?;
        if diff.is_empty() {
            return Ok(None);
        }
        *shown = diff;
        let same_content = shown.same_content;
        if machine.mode == Mode::Check {
            if !same_content {
                machine.note_change(resource);
            }
            return Ok(Some(shown.message.clone()));
        }
        let (_say, lines) = channel();
        let judging = item.prepare(machine);
        self.drive(&id, format!("judging {}", item.doing()), (false, None), lines, judging).await?;
        if !same_content {
            machine.before_change(&id)?;
            machine.note_change(resource);
        }
        let (say, lines) = channel();
        let making = item.make(machine, &say);
        let mut message = self.drive(&id, item.doing(), (true, None), lines, making).await?;
        let left = item.diff(machine).await?;
        if !left.is_empty() {
            return Err(Failure::new(format!(
                "it was changed and still differs:\n{}\n{message}",
                left.show()
            )));
        }
        if message.is_empty() {
            message.clone_from(&shown.message);
        }
        Ok(Some(message))
    }

    fn finish(&mut self, resource: &Resource, done: Done, ms: u64) {
        let count = match done.outcome {
            Outcome::Ok => &mut self.report.ok,
            Outcome::Changed => &mut self.report.changed,
            Outcome::Failed => &mut self.report.failed,
            Outcome::Skipped => &mut self.report.skipped,
        };
        *count += 1;
        let (diff, message) = (self.mask.hide(done.diff.show()), self.mask.hide(done.message));
        self.send(Event::Resource {
            v: VERSION,
            resource: resource.id(),
            outcome: done.outcome,
            diff,
            message,
            cause: done.cause,
            disrupts: done.diff.disrupts,
            down: done.diff.down,
            confirm: done.confirm,
            ms,
        });
    }

    fn send(&mut self, event: Event) {
        if (self.out)(event).is_break() {
            self.gone = true;
        }
    }

    fn stopped(&mut self) -> bool {
        self.gone || self.hangup.happened()
    }
}

fn ms(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}
