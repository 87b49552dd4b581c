//! Drills as the steps of a run: what the load needs, one thing after another is broken, and whether all of it was kept.

use super::{Drill, FaultKind, Target, check_whole, drill, verdict};
use crate::instance::Shared;
use crate::load::{self, Requests};
use crate::plan::PlanReport;
use crate::runner::Prepared;
use crate::{Failure, Instance, OpenMode};
use andamio_engine::{Action, BoxFuture, ErrorReport, Outcome, Step, StepContext};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Results, as they come.
#[derive(Clone, Default)]
pub struct Done(Arc<Mutex<Vec<Drill>>>);

impl Done {
    /// Those that are there.
    #[must_use]
    pub fn take(&self) -> Vec<Drill> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The drills of `cells`, ready to be run. What is wanted is what the state records, so that neither the file nor the
/// source can change it in the middle.
///
/// # Errors
/// [`crate::Kind::Refused`] where the environment is not whole to begin with.
pub async fn prepare(
    look: &Instance,
    cells: &[(Target, FaultKind)],
    rate: u32,
    done: &Done,
) -> Result<Prepared, Failure> {
    let mut request = look.request.clone();
    request.as_recorded = look.desired.as_ref().is_some_and(|desired| desired.enabled);
    // Nothing is made of an environment that is not there.
    let instance = Arc::new(Instance::open(request, OpenMode::ReadOnly).await?);
    check_whole(&instance).await?;
    let things =
        if cells.len() == 1 { "one thing".to_owned() } else { format!("{} things", cells.len()) };
    let question = (instance.topology.env != "dev").then(|| {
        format!(
            "This breaks {things} of {} under {rate} requests a second, one after another.",
            instance.name()
        )
    });
    let made: Arc<OnceLock<Requests>> = Arc::default();
    let declared = look.request.spec.app.load.clone();
    let load = Load { instance: Arc::clone(&instance), declared, made: Arc::clone(&made), rate };
    let mut steps = vec![Step::new("load", "prepare the load", load)];
    for &(target, fault) in cells {
        let id = format!("{}:{}", target.as_str(), fault.as_str());
        let (instance, made, done) = (Arc::clone(&instance), Arc::clone(&made), done.clone());
        let cell = Cell { instance, made, done, target, fault, rate };
        let after: Vec<String> = steps.last().map(|step| step.id.clone()).into_iter().collect();
        let title = format!("{} {}", target.as_str(), fault.as_str());
        steps.push(Step::new(&id, title, cell).after(after));
    }
    // Last, and in the ledger like everything else: whether all of them were kept.
    let after: Vec<String> = steps.last().map(|step| step.id.clone()).into_iter().collect();
    steps.push(Step::new("promises", "every promise kept", Verdict(done.clone())).after(after));
    let report = PlanReport { empty: true, ..PlanReport::default() };
    Ok(Prepared { instance, report, question, accepted: Vec::new(), desired: None, steps })
}

struct Load {
    instance: Shared,
    declared: Option<andamio_spec::Load>,
    made: Arc<OnceLock<Requests>>,
    rate: u32,
}

impl Action for Load {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> BoxFuture<'a, Result<Outcome, ErrorReport>> {
        Box::pin(async move {
            let made = load::prepare(&self.instance, self.declared.as_ref(), self.rate)
                .await
                .map_err(|f| f.error)?;
            // A step is run once.
            let _ = self.made.set(made);
            Ok(Outcome::Ok)
        })
    }
}

struct Cell {
    instance: Shared,
    made: Arc<OnceLock<Requests>>,
    done: Done,
    target: Target,
    fault: FaultKind,
    rate: u32,
}

impl Action for Cell {
    fn apply<'a>(
        &'a self,
        context: &'a StepContext<'a>,
    ) -> BoxFuture<'a, Result<Outcome, ErrorReport>> {
        Box::pin(async move {
            let Self { instance, made, done, target, fault, rate } = self;
            let requests = made.get().ok_or_else(|| {
                ErrorReport::new(
                    "load",
                    "nothing is there to be sent",
                    "run the same command again",
                )
            })?;
            let drill = drill(instance, (*target, *fault), requests, *rate, context).await?;
            done.0.lock().unwrap_or_else(PoisonError::into_inner).push(drill);
            Ok(Outcome::Ok)
        })
    }
}

struct Verdict(Done);

impl Action for Verdict {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> BoxFuture<'a, Result<Outcome, ErrorReport>> {
        Box::pin(async move {
            verdict(&self.0.0.lock().unwrap_or_else(PoisonError::into_inner))?;
            Ok(Outcome::Ok)
        })
    }
}
