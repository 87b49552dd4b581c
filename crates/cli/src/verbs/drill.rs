use super::up::release_lock;
use crate::args::{self, Global};
use crate::exit::{Exit, Stop};
use crate::output::{Output, drills};
use crate::project::request;
use crate::run;
use andamio_engine::{Action, BoxFuture, ErrorReport, Lock, Outcome, Step, StepContext};
use andamio_operate::drill::{self as operate, Drill, FaultKind, Target};
use andamio_operate::{Instance, OpenMode};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) async fn drill(
    global: &Global,
    output: &mut Output,
    env: &str,
    one: Option<(args::Target, args::FaultKind)>,
    rate: u32,
) -> Result<Exit, Stop> {
    let look = Instance::open(request(global, env)?, OpenMode::ReadOnly).await?;
    output.result_of =
        Some(("drill".to_owned(), look.topology.env.clone(), look.topology.place.clone()));
    let output = &*output;
    let cells = match one {
        Some((target, fault)) => {
            let (target, fault) = (target.into(), fault.into());
            operate::check_supported(&look, target, fault)?;
            vec![(target, fault)]
        }
        None => operate::cells(&look),
    };
    let lock = run::lock(&look, "drill", output).await?;
    let result = locked(global, output, look.request, &cells, rate, &lock).await;
    release_lock(lock).await;
    result
}

async fn locked(
    global: &Global,
    output: &Output,
    request: andamio_operate::Request,
    cells: &[(Target, FaultKind)],
    rate: u32,
    lock: &Lock,
) -> Result<Exit, Stop> {
    // Nothing is made of an environment that is not there.
    let instance = Arc::new(Instance::open(request, OpenMode::ReadOnly).await?);
    operate::check_whole(&instance).await?;
    if instance.topology.env != "dev" {
        let question = format!(
            "This breaks {} of {} under {rate} requests a second, one after another.",
            if cells.len() == 1 {
                "one thing".to_owned()
            } else {
                format!("{} things", cells.len())
            },
            instance.name()
        );
        run::confirm(&question, global.yes)?;
    }
    output.note("making accounts for the load");
    let accounts = Arc::new(operate::accounts(&instance, rate).await?);
    let done = Arc::new(Mutex::new(Vec::new()));
    let mut steps: Vec<Step> = Vec::new();
    for &(target, fault) in cells {
        let id = format!("{}:{}", target.as_str(), fault.as_str());
        let action = Cell {
            instance: Arc::clone(&instance),
            accounts: Arc::clone(&accounts),
            done: Arc::clone(&done),
            target,
            fault,
            rate,
        };
        let after: Vec<String> = steps.last().map(|step| step.id.clone()).into_iter().collect();
        let title = format!("{} {}", target.as_str(), fault.as_str());
        steps.push(Step::new(&id, title, action).after(after));
    }
    // Last, and in the ledger like everything else: whether all of them were kept.
    let after: Vec<String> = steps.last().map(|step| step.id.clone()).into_iter().collect();
    steps
        .push(Step::new("promises", "every promise kept", Verdict(Arc::clone(&done))).after(after));
    let (outcome, record) = run::steps(&instance, "drill", "", &steps, &[], (lock, output)).await?;
    let done: Vec<Drill> =
        std::mem::take(&mut *done.lock().unwrap_or_else(PoisonError::into_inner));
    if output.json {
        for drill in &done {
            output.document(drill);
        }
    } else if !done.is_empty() {
        output.answer(&drills(&done, output.style));
    }
    run::finish(output, &record, &outcome, &[])
}

struct Verdict(Arc<Mutex<Vec<Drill>>>);

impl Action for Verdict {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> BoxFuture<'a, Result<Outcome, ErrorReport>> {
        Box::pin(async move {
            operate::verdict(&self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
            Ok(Outcome::Ok)
        })
    }
}

struct Cell {
    instance: Arc<Instance>,
    accounts: Arc<Vec<u8>>,
    done: Arc<Mutex<Vec<Drill>>>,
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
            let Self { instance, accounts, done, target, fault, rate } = self;
            let drill = operate::drill(instance, *target, *fault, *rate, accounts, context).await?;
            done.lock().unwrap_or_else(PoisonError::into_inner).push(drill);
            Ok(Outcome::Ok)
        })
    }
}

impl From<args::Target> for Target {
    fn from(target: args::Target) -> Self {
        match target {
            args::Target::App => Self::App,
            args::Target::Database => Self::Database,
            args::Target::Cache => Self::Cache,
            args::Target::Queue => Self::Queue,
            args::Target::Balancer => Self::Balancer,
            args::Target::Ops => Self::Ops,
        }
    }
}

impl From<args::FaultKind> for FaultKind {
    fn from(fault: args::FaultKind) -> Self {
        match fault {
            args::FaultKind::Stop => Self::Stop,
            args::FaultKind::ProcessKill => Self::ProcessKill,
            args::FaultKind::MachineKill => Self::MachineKill,
            args::FaultKind::Freeze => Self::Freeze,
            args::FaultKind::LinkDown => Self::LinkDown,
            args::FaultKind::Partition => Self::Partition,
            args::FaultKind::FullDisk => Self::FullDisk,
        }
    }
}
