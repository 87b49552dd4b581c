//! One drill, from the first request to the last machine that is back.

use super::guard::Guard;
use super::{Drill, FaultKind, Target, TargetMachine, target_machine};
use crate::failure::{fault as local_fault, remote_fault};
use crate::instance::Shared;
use crate::load::{self, LoadFigures, Requests, Running};
use crate::runner::recorded;
use crate::{command, up};
use andamio_converge::Promise;
use andamio_engine::{Cancel, ErrorReport, Events, RunRecord, StepContext};
use andamio_provision::local::MachineFault;
use andamio_remote::quote;
use std::time::{Duration, Instant};

/// Before it is broken, while it is, and after.
const CALM: Duration = Duration::from_secs(5);
const BROKEN: Duration = Duration::from_secs(10);
const AFTER: Duration = Duration::from_secs(15);
/// From one look to the next.
const BETWEEN: Duration = Duration::from_secs(1);
/// Longest wait for full redundancy.
const PATIENCE: Duration = Duration::from_secs(180);

/// Breaks the target, puts it back, and measures. Whatever happens on the way, it is put back.
///
/// # Errors
/// When it cannot be broken or put back, or the load does not run: then nothing was measured.
pub(super) async fn drill(
    instance: &Shared,
    (target, fault): (Target, FaultKind),
    requests: &Requests,
    rate: u32,
    context: &StepContext<'_>,
) -> Result<Drill, ErrorReport> {
    let broken = target_machine(instance, target).await.map_err(|f| f.error)?;
    let name = broken.found.name.clone();
    let from = load::found(instance, &name).map_err(|f| f.error)?;
    let seconds = (CALM + BROKEN + AFTER).as_secs().try_into().unwrap_or(30);
    let what = requests.described();
    context.doing(&format!("{rate} requests a second from {}: {what}", from.name));
    let load = Running::start(instance, &from, requests, rate, seconds).await;
    let Running { begun, ended, .. } = load.map_err(|f| f.error)?;
    if begun.await.is_err() {
        // It ended before it began, and says why.
        return Err(match ended.await {
            Ok(Err(fault)) => fault,
            _ => ErrorReport::new(
                "load",
                format!("{what} ended without saying that it begins"),
                "its first request is due with a line {\"type\":\"begun\"} on standard error",
            ),
        });
    }
    let begin = Instant::now();
    pause(CALM, context).await?;
    let mut injection = InjectedFault::new(instance, &broken, target, fault)?;
    context.doing(&format!("{name}: {}", fault.as_str()));
    let broken_at = begin.elapsed();
    let injected = injection.inject(instance, &broken).await;
    let stopped = match injected {
        Ok(()) => pause(BROKEN, context).await,
        Err(fault) => Err(fault),
    };
    context.doing(&format!("putting {name} back"));
    let reverted_at = begin.elapsed();
    injection.revert(instance, &broken).await?;
    let reverted = Instant::now();
    let group = instance.topology.group(target.group());
    let group: Vec<String> = group.map(|m| m.name.clone()).collect();
    restore(instance, &group, context).await?;
    let mut redundant = reverted.elapsed();
    stopped?;
    context.doing("waiting for the load to end");
    let measured = ended.await.unwrap_or_else(|_| {
        Err(ErrorReport::new("load", "the load broke off", "run the same command again"))
    })?;
    // All machines only now: looking at each of them would be felt by those whose requests were counted.
    if restore(instance, &[], context).await? {
        redundant = reverted.elapsed();
    }
    let why = check_promise(instance, target, fault, &measured);
    let lost = measured.lost();
    Ok(Drill {
        v: 1,
        kind: "drill",
        target,
        fault,
        machine: name,
        rate,
        requests: measured.requests,
        failures: measured.failures,
        causes: measured.causes,
        longest_gap_ms: measured.longest_gap_ms,
        acknowledged: measured.acknowledged,
        lost,
        redundant_after_s: seconds_of(redundant),
        passed: why.is_empty(),
        why,
        timeline: measured.timeline,
        broken_at_s: seconds_of(broken_at),
        mended_at_s: seconds_of(reverted_at),
    })
}

fn seconds_of(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

async fn pause(time: Duration, context: &StepContext<'_>) -> Result<(), ErrorReport> {
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        () = context.stopped() => Err(ErrorReport::stopped("stopped before it was over")),
    }
}

/// What was promised and not kept. One machine of a kind promises only that no record is lost.
fn check_promise(
    instance: &Shared,
    target: Target,
    fault: FaultKind,
    measured: &LoadFigures,
) -> String {
    if let Some(lost @ 1..) = measured.lost() {
        return format!("{lost} acknowledged records are lost");
    }
    if instance.topology.group(target.group()).count() < 2 && target != Target::Ops {
        return String::new();
    }
    let Promise { gap_ms, failures } = target.promise(fault);
    if measured.longest_gap_ms > gap_ms {
        return format!("a gap of {} ms, at most {gap_ms} is promised", measured.longest_gap_ms);
    }
    if !failures && measured.failures > 0 {
        return format!(
            "{} requests failed{}, none is promised",
            measured.failures,
            causes(measured)
        );
    }
    String::new()
}

/// In brackets; nothing where a program's `load` does not say.
fn causes(measured: &LoadFigures) -> String {
    let causes: Vec<String> =
        measured.causes.iter().map(|(cause, count)| format!("{count} × {cause}")).collect();
    if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) }
}

/// A fault, and what takes it back.
struct InjectedFault {
    target: Target,
    fault: FaultKind,
    guard: Option<Guard>,
}

impl InjectedFault {
    fn new(
        instance: &Shared,
        broken: &TargetMachine,
        target: Target,
        fault: FaultKind,
    ) -> Result<Self, ErrorReport> {
        let from_outside = matches!(
            fault,
            FaultKind::Freeze | FaultKind::LinkDown | FaultKind::Partition | FaultKind::FullDisk
        );
        let mut guard = None;
        if from_outside && let Some(machine) = instance.topology.machine(&broken.found.name) {
            let injection = instance.local()?.injection(machine);
            guard = Some(Guard::start(&instance.request.program, &injection)?);
        }
        Ok(Self { target, fault, guard })
    }

    async fn inject(
        &mut self,
        instance: &Shared,
        broken: &TargetMachine,
    ) -> Result<(), ErrorReport> {
        let name = &broken.found.name;
        let topology = &instance.topology;
        let machine = topology.machine(name).ok_or_else(|| {
            ErrorReport::new("drill", format!("no machine {name}"), "run the same command again")
        })?;
        let kind = match self.fault {
            FaultKind::Stop => return self.service(instance, broken, &["stop"]).await,
            FaultKind::ProcessKill => {
                return self.service(instance, broken, &["kill", "--signal=KILL"]).await;
            }
            FaultKind::MachineKill => {
                instance.local()?.kill(name).await.map_err(|e| local_fault(&e))?;
                instance.nodes.forget(name).await;
                return Ok(());
            }
            FaultKind::Freeze => MachineFault::Freeze,
            FaultKind::LinkDown => MachineFault::Link,
            FaultKind::FullDisk => MachineFault::FullDisk,
            FaultKind::Partition => {
                let others = topology.group(machine.group).filter(|m| m.name != *name);
                MachineFault::Partition(others.map(|m| m.address).collect())
            }
        };
        instance.local()?.injection(machine).inject(&kind).await.map_err(|e| local_fault(&e))
    }

    /// Undoes what only the fault's own opposite undoes; the rest is for the plan that follows.
    async fn revert(
        &mut self,
        instance: &Shared,
        broken: &TargetMachine,
    ) -> Result<(), ErrorReport> {
        if let Some(guard) = self.guard.take() {
            guard.end().await?;
            // Whatever stood in its connection while nobody answered.
            instance.nodes.forget(&broken.found.name).await;
        }
        if self.fault == FaultKind::Stop {
            self.service(instance, broken, &["start"]).await?;
        }
        if self.fault == FaultKind::FullDisk && self.target.table().stands_still {
            self.service(instance, broken, &["try-restart"]).await?;
        }
        Ok(())
    }

    async fn service(
        &self,
        instance: &Shared,
        broken: &TargetMachine,
        verb: &[&str],
    ) -> Result<(), ErrorReport> {
        let Some(unit) = &broken.unit else { return Ok(()) };
        let words: Vec<&str> =
            ["systemctl"].iter().chain(verb).copied().chain([unit.as_str()]).collect();
        let session = command::session(instance, &broken.found).await.map_err(|f| f.error)?;
        let output = session.output(&quote(&words), &[]).await.map_err(|e| remote_fault(&e))?;
        if output.exit.success() {
            return Ok(());
        }
        let message =
            format!("{} on {}: {}", words.join(" "), broken.found.name, output.complaint());
        Err(ErrorReport::new("drill", message, "see `andamio status`"))
    }
}

/// Plans and runs until nothing is left to do on these machines, or on all where none is named: every service
/// answers, every cluster is whole. Says whether there was anything to do. Who wants to stop before it begins gets one
/// round, because what was broken is put back; after that it is heard.
async fn restore(
    instance: &Shared,
    machines: &[String],
    context: &StepContext<'_>,
) -> Result<bool, ErrorReport> {
    let begin = Instant::now();
    let mut worked = false;
    let mut last = None;
    let mut cancel = if context.cancelled() { Cancel::default() } else { context.cancel().clone() };
    while begin.elapsed() < PATIENCE {
        if cancel.requested() {
            let message =
                "stopped before everything was back; `andamio up` brings back what is left";
            return Err(ErrorReport::stopped(message));
        }
        let planned = up::plan(instance, machines).await.map_err(|f| f.error)?;
        if planned.report.empty {
            return Ok(worked);
        }
        if let Some(refusal) = planned.report.refusals.first() {
            return Err(ErrorReport::new(&refusal.code, &refusal.message, &refusal.help));
        }
        let steps = planned.steps(instance, &planned.report).map_err(|f| f.error)?;
        context.doing(&format!("{} steps until everything is back", steps.len()));
        let record =
            RunRecord { plan: planned.report.id.clone(), ..instance.entry("drill recovery") };
        let (events, _) = Events::new(&record.run);
        let ended = recorded(instance, record, &steps, &events, &cancel).await;
        last = ended.map_err(|f| f.error)?.outcome.error;
        worked = true;
        cancel = context.cancel().clone();
        let _ = pause(BETWEEN, context).await;
    }
    Err(last.unwrap_or_else(|| {
        let message = format!("not everything is back after {} s", PATIENCE.as_secs());
        ErrorReport::new("redundancy", message, "see what is missing with `andamio plan`")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_need_not_say_why_requests_failed() {
        let mut measured = LoadFigures::default();
        assert_eq!(causes(&measured), "");
        measured.causes.insert("status 503".to_owned(), 2);
        measured.causes.insert("timeout".to_owned(), 1);
        assert_eq!(causes(&measured), " (2 × status 503, 1 × timeout)");
    }
}
