use crate::args::{self, Global};
use crate::exit::{Exit, Stop};
use crate::output::{Output, drills};
use crate::project::look;
use crate::run::{self, Terminal};
use andamio_operate::drill::{self as operate, Done, FaultKind, Target};

pub(crate) async fn drill(
    global: &Global,
    output: &mut Output,
    env: &str,
    one: Option<(args::Target, args::FaultKind)>,
    rate: u32,
) -> Result<Exit, Stop> {
    let look = look(global, env).await?;
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
    let terminal = Terminal::new(global, output);
    let done = Done::default();
    let plan = async || operate::prepare(&look, &cells, rate, &done).await;
    let (ended, _) = terminal.runner().carry_out(&look, "drill", plan).await?;
    let done = done.take();
    if output.json {
        for drill in &done {
            output.document(drill);
        }
    } else if !done.is_empty() {
        output.answer(&drills(&done, output.style));
    }
    run::finish(output, &ended, &[])
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
