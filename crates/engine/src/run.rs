//! Runs a plan's steps: whatever is ready starts at once, what depends on a failed step is left out,
//! and everything else goes on.

use crate::step::StepContext;
use crate::{ErrorReport, Events, Lease, Outcome, State, Step};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;
use std::time::Instant;
use tokio::sync::watch;

/// A person's wish to stop, or the loss of the lock that the run works under. Clones share it.
#[derive(Clone)]
pub struct Cancel {
    sender: std::sync::Arc<watch::Sender<bool>>,
    lease: Option<Lease>,
}

impl Default for Cancel {
    fn default() -> Self {
        Self { sender: std::sync::Arc::new(watch::Sender::new(false)), lease: None }
    }
}

impl Cancel {
    /// No step starts once this lease is lost.
    #[must_use]
    pub fn under(lease: Lease) -> Self {
        Self { lease: Some(lease), ..Self::default() }
    }

    /// Asks running steps to come to an end and no other to start.
    pub fn request(&self) {
        self.sender.send_replace(true);
    }

    #[must_use]
    pub fn requested(&self) -> bool {
        *self.sender.borrow() || self.lost()
    }

    /// Another run may have the lock by now.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| !lease.is_held())
    }

    /// Ends when a stop has been asked for.
    pub async fn wait(&self) {
        let mut receiver = self.sender.subscribe();
        let lost = async {
            match &self.lease {
                Some(lease) => lease.lost().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The sender lives as long as `self`, so this cannot end early.
            _ = receiver.wait_for(|&requested| requested) => {}
            () = lost => {}
        }
    }
}

/// Sum of a run.
#[derive(Debug, Default)]
pub struct RunOutcome {
    pub changed: u32,
    pub failed: u32,
    /// Titles of steps that were not tried because one they need failed or the run was stopped.
    pub skipped: Vec<String>,
    pub cancelled: bool,
    /// It stopped because its lock may be somebody else's by now.
    pub lost: bool,
    /// The first failure: the one to mend.
    pub error: Option<ErrorReport>,
}

/// Runs all steps.
pub async fn run(steps: &[Step], events: &Events, cancel: &Cancel) -> RunOutcome {
    let mut outcome = RunOutcome::default();
    let mut waiting: Vec<&Step> = steps.iter().collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut lost: BTreeSet<&str> = BTreeSet::new();
    let mut running = FuturesUnordered::new();
    loop {
        // Until nothing moves: a step that is left out takes its dependants with it.
        loop {
            let before = waiting.len();
            let stop = cancel.requested();
            waiting.retain(|step| {
                if stop || step.needs.iter().any(|n| lost.contains(n.as_str())) {
                    lost.insert(&step.id);
                    outcome.skipped.push(step.title.clone());
                    return false;
                }
                let ready = step.needs.iter().all(|n| done.contains(n.as_str()));
                if ready {
                    running.push(one(step, events, cancel));
                }
                !ready
            });
            if waiting.len() == before {
                break;
            }
        }
        let Some((step, result, before_failing)) = running.next().await else {
            if let Some(step) = waiting.first() {
                outcome.failed += 1;
                outcome.error.get_or_insert(ErrorReport::new(
                    "plan",
                    format!("`{}` needs a step that the plan does not have", step.title),
                    "this is a fault of Andamio: please report it",
                ));
            }
            break;
        };
        match result {
            Ok(Outcome::Ok) => {
                done.insert(&step.id);
            }
            Ok(Outcome::Changed(n)) => {
                outcome.changed += n;
                done.insert(&step.id);
            }
            Err(fault) if fault.is_stop() && cancel.requested() => {
                lost.insert(&step.id);
                outcome.changed += before_failing;
                outcome.skipped.push(step.title.clone());
            }
            Err(fault) => {
                lost.insert(&step.id);
                outcome.failed += 1;
                outcome.changed += before_failing;
                outcome.error.get_or_insert(fault);
            }
        }
    }
    outcome.cancelled = cancel.requested();
    // What is done is done, whoever has the lock; only work that is left is somebody's to do.
    if let (true, Some(next)) = (cancel.lost(), outcome.skipped.first()) {
        outcome.lost = true;
        outcome.failed += 1;
        // Whatever failed before, this is what its reader has to know first.
        outcome.error = Some(ErrorReport::new(
            "lock-lost",
            format!(
                "stopped before `{next}`: the lock could not be renewed for a minute, so another run may have it"
            ),
            "see with `andamio history` who works there, then run the same command again",
        ));
    }
    outcome
}

async fn one<'a>(
    step: &'a Step,
    events: &'a Events,
    cancel: &'a Cancel,
) -> (&'a Step, Result<Outcome, ErrorReport>, u32) {
    let machine = step.machine.as_deref();
    events.send(&step.id, machine, None, State::Started, 0, &step.title, "");
    let begun = Instant::now();
    let context =
        StepContext { step: &step.id, machine, events, cancel, changed: AtomicU32::new(0) };
    let result = step.action.apply(&context).await;
    let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (state, message) = match &result {
        Ok(Outcome::Ok) => (State::Ok, step.title.as_str()),
        Ok(Outcome::Changed(_)) => (State::Changed, step.title.as_str()),
        Err(fault) => (State::Failed, fault.message.as_str()),
    };
    events.send(&step.id, machine, None, state, ms, message, "");
    (step, result, context.changed.into_inner())
}
