//! Waits until a service answers. Changes nothing, but for a broker that lost its own accounts.

mod ask;
mod cause;
mod watch;

pub(crate) use cause::{explain_start, judges};
pub(crate) use watch::Watch;

use super::Say;
use crate::failure::{Failure, Result};
use crate::machine::{Machine, Mode};
use andamio_manifest::{Cause, Check, Outcome, Probe};
use cause::Asked;
use std::time::{Duration, Instant};

/// A broker that is just starting lets nobody in for a moment.
const LOCKED_OUT: Duration = Duration::from_secs(10);
/// A unit is active as soon as its process runs; one that ends at once is told from one that stays by this.
const STAYS: Duration = Duration::from_secs(1);

/// Waits for the answer, and no longer than it can still come; in a check it asks once. The message is the last
/// error and, where that shows, what it comes from.
///
/// # Errors
/// When the service did not answer in time, or it is clear that it will not. In a check of a machine that was
/// never applied there is nothing to ask yet: that is [`Outcome::Skipped`].
pub(crate) async fn wait(
    probe: &Probe,
    machine: &mut Machine,
    say: &Say,
) -> Result<(Outcome, String)> {
    let begin = Instant::now();
    let deadline = Duration::from_secs(probe.deadline_s);
    let mut told = String::new();
    let mut restarted = false;
    loop {
        let result = ask::once(&probe.check, machine).await;
        watch::look_all(machine).await;
        if result.is_ok() && stays(probe, machine) {
            return Ok((Outcome::Ok, String::new()));
        }
        if let Some(watch) = watched(probe, machine)
            && watch.does_not_stay()
        {
            let what =
                format!("does not stay, and ended {} times since it was started", watch.ended());
            return Err(failed(probe, &what, &result.err(), machine).await);
        }
        let Err(failure) = result else {
            tokio::time::sleep(ask::interval(&probe.check)).await;
            continue;
        };
        if machine.mode == Mode::Check {
            if !machine.known {
                return Ok((Outcome::Skipped, "nothing was applied here yet".to_owned()));
            }
            return Err(failure);
        }
        // After its disk was full it runs and knows nobody any more, until it is started again.
        let locked_out = matches!(probe.check, Check::Rabbitmq { .. })
            && failure.cause() == Some(Cause::LockedOut);
        if locked_out && !restarted && begin.elapsed() >= LOCKED_OUT {
            restarted = true;
            say.say("restarting rabbitmq, which knows none of its accounts");
            machine.systemd().await?.job("RestartUnit", "rabbitmq-server.service").await?;
        }
        let watch = watched(probe, machine);
        // All processes are started at once: while one was waited for, the others had the same time.
        if watch.map_or(begin.elapsed(), Watch::waited) >= deadline {
            let what = format!("is not ready after {} s", probe.deadline_s);
            return Err(failed(probe, &what, &Some(failure), machine).await);
        }
        if watch.is_some_and(Watch::has_settled) && is_final(probe, &failure) {
            return Err(failed(probe, "does not get ready", &Some(failure), machine).await);
        }
        if told != failure.to_string() {
            told = failure.to_string();
            say.waits_for(format!("{}: {told}", probe.name));
        }
        tokio::time::sleep(ask::interval(&probe.check)).await;
    }
}

fn watched<'a>(probe: &Probe, machine: &'a Machine) -> Option<&'a Watch> {
    machine.watches.get(probe.unit.as_ref()?)
}

/// That a unit is active is worth something when it was so for a moment; an answer is worth more. One that
/// was not looked at has nothing to prove: it was not started just now, or this is a check.
fn stays(probe: &Probe, machine: &Machine) -> bool {
    let just_started = match &probe.check {
        Check::Unit(unit) => machine.changes(&format!("unit:{unit}")),
        _ => false,
    };
    !just_started || watched(probe, machine).is_none_or(|watch| watch.since.elapsed() >= STAYS)
}

/// A process that does nothing any more will give this answer for ever.
fn is_final(probe: &Probe, failure: &Failure) -> bool {
    let unit = probe.unit.as_deref().unwrap_or_default();
    failure.cause() == Some(Cause::Application)
        || cause::is_elsewhere(unit, &Asked::new(&probe.check, Some(failure)))
}

async fn failed(
    probe: &Probe,
    what: &str,
    failure: &Option<Failure>,
    machine: &mut Machine,
) -> Failure {
    let text = failure.as_ref().map_or_else(String::new, |failure| format!(": {failure}"));
    match &probe.unit {
        Some(unit) => {
            let asked = Asked::new(&probe.check, failure.as_ref());
            cause::explain(probe, unit, &format!("{what}{text}"), &asked, machine).await
        }
        None => Failure::new(format!("{} {what}{text}", probe.name)),
    }
}
