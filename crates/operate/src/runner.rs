//! The one way in which plans are run, whoever asks for it: under the lock, after the yes, with what is wanted recorded
//! before the first step, two entries in the ledger, events, and a way to stop.

use crate::approval::Approval;
use crate::desired::Desired;
use crate::instance::Shared;
use crate::plan::PlanReport;
use crate::{Failure, Instance, Kind};
use andamio_engine::{
    Accepted, BoxFuture, Cancel, Event, Events, Lock, LockRecord, RunOutcome, RunRecord, RunStatus,
    Scope, Step, Wait, run,
};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// Who is told what happens: a terminal, or a log.
pub trait Reporter: Send + Sync {
    fn note(&self, text: &str);
    /// The plan, before anything is asked.
    fn plan(&self, report: &PlanReport);
    /// Passes events on until there are no more, and tells `cancel` when somebody wants to stop.
    fn attend<'a>(
        &'a self,
        events: UnboundedReceiver<Event>,
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, ()>;
}

pub struct Runner<'a> {
    pub approval: &'a dyn Approval,
    pub reporter: &'a dyn Reporter,
    /// How long a lock is waited for.
    pub wait: Option<Duration>,
}

/// A plan that is ready to be run, with the instance that it was made for.
pub struct Prepared {
    pub instance: Shared,
    pub report: PlanReport,
    /// What has to be answered with yes before.
    pub question: Option<String>,
    pub accepted: Vec<Accepted>,
    pub desired: Option<Desired>,
    pub steps: Vec<Step>,
}

/// What came of it.
pub struct Ended {
    pub outcome: RunOutcome,
    pub record: RunRecord,
}

impl Runner<'_> {
    /// Takes the lock; says so when it waits, or when a dead holder had it.
    ///
    /// # Errors
    /// [`Kind::Locked`] when somebody else holds it.
    pub async fn lock(
        &self,
        instance: &Instance,
        scope: Scope,
        verb: &str,
    ) -> Result<Lock, Failure> {
        let purpose = format!("{verb} {}", instance.name());
        let told = |record: &LockRecord| {
            let LockRecord { holder, purpose, since, .. } = record;
            let text =
                format!("waiting for {}, who works on `{purpose}` since {since:.0}", holder.by);
            self.reporter.note(&text);
        };
        let wait = self.wait.map(|most| Wait { most, told: &told });
        let store = instance.writable()?;
        let taken = Lock::take(&store, scope, instance.holder(), &purpose, wait.as_ref()).await?;
        let (lock, former) = taken;
        if let Some(former) = former {
            let LockRecord { holder, purpose, .. } = former;
            let text = format!("taking over the lock of {}, whose `{purpose}` is gone", holder.by);
            self.reporter.note(&text);
        }
        Ok(lock)
    }

    /// Plans under the lock, asks without it, and runs what was agreed to. What has changed while somebody thought about
    /// the answer is planned, shown and asked again.
    ///
    /// # Errors
    /// When it is locked or refused, or the plan cannot be made; the ledger keeps a refusal.
    pub async fn carry_out(
        &self,
        look: &Instance,
        verb: &str,
        plan: impl AsyncFn() -> Result<Prepared, Failure>,
    ) -> Result<(Ended, Prepared), Failure> {
        let mut agreed = None;
        loop {
            let lock = self.lock(look, Scope::Converge, verb).await?;
            let result = self.locked(look, verb, &lock, agreed.as_deref(), &plan).await;
            let done =
                matches!(&result, Ok(Locked::Ended(it)) if it.0.record.status == RunStatus::Ok);
            if let (false, Ok(local)) = (done, look.local()) {
                // Refused, failed or to be answered before anything was made: nothing stays behind.
                local.abandon();
            }
            // A lock that cannot be given back ends with this process.
            let _ = lock.release().await;
            match result? {
                Locked::Ended(ended) => return Ok(*ended),
                Locked::Asks { plan, question } => {
                    if let Err(why) = self.approval.ask(&question).await {
                        return Err(self.refuse(look, verb, &plan, why).await);
                    }
                    agreed = Some(plan);
                }
            }
        }
    }

    async fn locked(
        &self,
        look: &Instance,
        verb: &str,
        lock: &Lock,
        agreed: Option<&str>,
        plan: &impl AsyncFn() -> Result<Prepared, Failure>,
    ) -> Result<Locked, Failure> {
        let prepared = match plan().await {
            Err(why) if why.kind == Kind::Refused => {
                return Err(self.refuse(look, verb, "", why).await);
            }
            prepared => prepared?,
        };
        let report = &prepared.report;
        if agreed != Some(&report.id) {
            self.reporter.plan(report);
            if let Some(refused) = report.refusals.first() {
                let why =
                    Failure::new(Kind::Refused, &refused.code, &refused.message, &refused.help);
                return Err(self.refuse(look, verb, &report.id, why).await);
            }
            if let Some(question) = &prepared.question {
                let (plan, question) = (report.id.clone(), question.clone());
                return Ok(Locked::Asks { plan, question });
            }
        }
        let Prepared { instance, steps, accepted, desired, .. } = &prepared;
        let record = RunRecord {
            plan: report.id.clone(),
            accepted: accepted.clone(),
            ..instance.entry(verb)
        };
        let ended = self.run(instance, lock, record, desired.as_ref(), steps).await?;
        Ok(Locked::Ended(Box::new((ended, prepared))))
    }

    /// Notes in the ledger that a run was refused, and why.
    pub async fn refuse(
        &self,
        instance: &Instance,
        verb: &str,
        plan: &str,
        why: Failure,
    ) -> Failure {
        let message = format!("{}: {}", why.error.code, why.error.message);
        let record = RunRecord { plan: plan.to_owned(), ..instance.entry(verb) };
        match instance.note(record.end(RunStatus::Refused, 0, &message)).await {
            Ok(_) => why,
            Err(failure) => failure,
        }
    }

    /// Runs steps to the end under the lock.
    ///
    /// # Errors
    /// When somebody else recorded what is wanted meanwhile, or the state cannot be written.
    pub async fn run(
        &self,
        instance: &Instance,
        lock: &Lock,
        record: RunRecord,
        desired: Option<&Desired>,
        steps: &[Step],
    ) -> Result<Ended, Failure> {
        if let Some(desired) = desired {
            desired.record(&instance.store).await?;
        }
        let cancel = Cancel::under(lock.lease());
        let (events, receiver) = Events::new(&record.run);
        let work = async {
            let ended = recorded(instance, record, steps, &events, &cancel).await;
            // The reporter ends when the last sender is gone.
            drop(events);
            ended
        };
        let (ended, ()) = tokio::join!(work, self.reporter.attend(receiver, &cancel));
        ended
    }
}

enum Locked {
    Ended(Box<(Ended, Prepared)>),
    /// Of this plan, before it is run.
    Asks {
        plan: String,
        question: String,
    },
}

/// Runs steps between the two entries of the ledger, for a run that has its lock and its yes already.
pub(crate) async fn recorded(
    instance: &Instance,
    record: RunRecord,
    steps: &[Step],
    events: &Events,
    cancel: &Cancel,
) -> Result<Ended, Failure> {
    let record = instance.note(record).await?;
    let outcome = run(steps, events, cancel).await;
    let status = if outcome.failed > 0 {
        RunStatus::Failed
    } else if outcome.cancelled {
        RunStatus::Cancelled
    } else {
        RunStatus::Ok
    };
    let message = outcome.error.as_ref().map_or("", |error| &error.message);
    let ended = record.end(status, outcome.changed, message);
    Ok(Ended { record: instance.note(ended).await?, outcome })
}
