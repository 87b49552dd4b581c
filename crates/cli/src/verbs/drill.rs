use super::up::release_lock;
use crate::args::{self, Global};
use crate::exit::{Exit, Stop};
use crate::output::{Output, drills};
use crate::project::request;
use crate::run;
use andamio_engine::{Action, BoxFuture, Fault, Lock, Outcome, Step, StepContext};
use andamio_operate::Instance;
use andamio_operate::drill::{self as operate, Breakage, Drill, Target};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) async fn drill(
    global: &Global,
    output: &mut Output,
    env: &str,
    one: Option<(args::Target, args::Breakage)>,
    rate: u32,
) -> Result<Exit, Stop> {
    let look = Instance::look(request(global, env)?).await?;
    output.result_of =
        Some(("drill".to_owned(), look.topology.env.clone(), look.topology.place.clone()));
    let output = &*output;
    let cells = match one {
        Some((target, fault)) => {
            let (target, fault) = (target.into(), fault.into());
            operate::sense(&look, target, fault)?;
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
    cells: &[(Target, Breakage)],
    rate: u32,
    lock: &Lock,
) -> Result<Exit, Stop> {
    // Nothing is made of an environment that is not there.
    let instance = Arc::new(Instance::look(request).await?);
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
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> BoxFuture<'a, Result<Outcome, Fault>> {
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
    fault: Breakage,
    rate: u32,
}

impl Action for Cell {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> BoxFuture<'a, Result<Outcome, Fault>> {
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

impl From<args::Breakage> for Breakage {
    fn from(fault: args::Breakage) -> Self {
        match fault {
            args::Breakage::Stop => Self::Stop,
            args::Breakage::ProcessKill => Self::ProcessKill,
            args::Breakage::MachineKill => Self::MachineKill,
            args::Breakage::Freeze => Self::Freeze,
            args::Breakage::LinkDown => Self::LinkDown,
            args::Breakage::Partition => Self::Partition,
            args::Breakage::FullDisk => Self::FullDisk,
        }
    }
}
