//! `drill`: breaks one thing under load, puts it back, and says what users and records saw of it.

mod guard;
mod run;
mod steps;
mod target;

pub use guard::revert;
pub use steps::{Done, prepare};

use crate::instance::Shared;
use crate::{Failure, Instance, Kind, load, up};
use andamio_converge::{DrillTable, Promise, table};
use andamio_engine::ErrorReport;
use andamio_spec::Group;
use andamio_spec::topology::Role;
use run::drill;
use serde::Serialize;
use std::collections::BTreeMap;
use target::{TargetMachine, target_machine};

/// What is broken: one machine of the group, the one whose loss is felt most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    App,
    Database,
    Cache,
    Queue,
    Balancer,
    Ops,
}

/// How it is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The service is told to stop, and does so in its own time.
    Stop,
    /// The service's processes are killed; its machine starts them again.
    ProcessKill,
    /// A power cut: the machine is gone until it is put back.
    MachineKill,
    /// The machine stops where it is; its connections stay open and silent.
    Freeze,
    /// The machine's network cable is out.
    LinkDown,
    /// No packet between the machine and the others of its group; everybody else reaches it.
    Partition,
    /// The machine's disk is full: nothing more can be written.
    FullDisk,
}

/// The contract's `drill` object.
#[derive(Debug, Clone, Serialize)]
pub struct Drill {
    pub v: u32,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub target: Target,
    pub fault: FaultKind,
    pub machine: String,
    pub rate: u32,
    pub requests: u64,
    pub failures: u64,
    /// Failures by what they were, as the load names them.
    pub causes: BTreeMap<String, u64>,
    pub longest_gap_ms: u64,
    /// Records that the application confirmed; nothing where nobody counts.
    pub acknowledged: Option<u64>,
    /// Acknowledged records that are not there any more.
    pub lost: Option<u64>,
    /// From the moment it was put back until every service is healthy and every cluster whole. Machines of other
    /// groups are looked at when the load has ended, and count where something is missing there.
    pub redundant_after_s: f64,
    pub passed: bool,
    /// Why not; empty when it passed.
    pub why: String,
    /// Good and bad answers in every quarter of a second.
    pub timeline: Vec<[u32; 2]>,
    /// Seconds after the load's begin at which it was broken and put back.
    pub broken_at_s: f64,
    pub mended_at_s: f64,
}

impl Target {
    pub const ALL: [Self; 6] =
        [Self::App, Self::Database, Self::Cache, Self::Queue, Self::Balancer, Self::Ops];

    /// The group of machines.
    #[must_use]
    pub fn group(self) -> Group {
        match self {
            Self::App => Group::App,
            Self::Database => Group::Mariadb,
            Self::Cache => Group::Redis,
            Self::Queue => Group::Rabbitmq,
            Self::Balancer => Group::Balancer,
            Self::Ops => Group::Ops,
        }
    }

    fn role(self) -> Role {
        self.group().role()
    }

    fn table(self) -> &'static DrillTable {
        &table(self.role()).drill
    }

    /// As on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Database => "database",
            Self::Cache => "cache",
            Self::Queue => "queue",
            Self::Balancer => "balancer",
            Self::Ops => "ops",
        }
    }

    /// What is promised of an environment whose groups have more than one machine.
    fn promise(self, fault: FaultKind) -> Promise {
        let table = self.table();
        match fault {
            FaultKind::Stop => table.stopped,
            FaultKind::Partition => table.parted.unwrap_or(table.otherwise),
            _ => table.otherwise,
        }
    }
}

impl FaultKind {
    pub const ALL: [Self; 7] = [
        Self::Stop,
        Self::ProcessKill,
        Self::MachineKill,
        Self::Freeze,
        Self::LinkDown,
        Self::Partition,
        Self::FullDisk,
    ];

    /// As on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::ProcessKill => "process-kill",
            Self::MachineKill => "machine-kill",
            Self::Freeze => "freeze",
            Self::LinkDown => "link-down",
            Self::Partition => "partition",
            Self::FullDisk => "full-disk",
        }
    }
}

/// Every pair that makes sense in this environment: a group of one has nobody to be parted from, and the
/// ops machine has no service of its own.
#[must_use]
pub fn cells(instance: &Instance) -> Vec<(Target, FaultKind)> {
    let mut cells = Vec::new();
    for target in Target::ALL {
        cells.extend(FaultKind::ALL.map(|fault| (target, fault)));
    }
    cells.retain(|&(target, fault)| check_supported(instance, target, fault).is_ok());
    cells
}

/// Whether this can be done here.
///
/// # Errors
/// Says why not.
pub fn check_supported(
    instance: &Instance,
    target: Target,
    fault: FaultKind,
) -> Result<(), Failure> {
    let refuse =
        |message: String, help: &str| Err(Failure::new(Kind::Refused, "drill", message, help));
    let service = matches!(fault, FaultKind::Stop | FaultKind::ProcessKill);
    if instance.local().is_err() && !service {
        return refuse(
            format!(
                "{} is not on this host, and only machines here can be broken",
                instance.name()
            ),
            "name a fault of a service (stop, process-kill), or rehearse the environment here: --on local",
        );
    }
    let machines = instance.topology.with_role(target.role()).count();
    let alone = instance.topology.group(target.group()).count();
    if machines == 0 {
        return refuse(
            format!("{} has no {}", instance.name(), target.as_str()),
            "name another target",
        );
    }
    if target == Target::Ops && service {
        return refuse("the ops machine runs no service".to_owned(), "name a fault of the machine");
    }
    if fault == FaultKind::Partition && (alone < 2 || target.table().parted.is_none()) {
        return refuse(
            format!("no {} machine of {} talks to another one", target.as_str(), instance.name()),
            "name another fault",
        );
    }
    let first = instance.topology.with_role(target.role()).next().map_or("", |m| m.name.as_str());
    if !service && load::source(instance, first).is_none() {
        return refuse(
            format!("{} has one machine, and the load comes from it", instance.name()),
            "name a fault of a service: stop or process-kill",
        );
    }
    Ok(())
}

/// A drill begins where nothing is left to do: putting things back would change more than was broken.
///
/// # Errors
/// When the environment is not as declared, or cannot be looked at.
async fn check_whole(instance: &Shared) -> Result<(), Failure> {
    if up::plan(instance, &[]).await?.report.empty {
        return Ok(());
    }
    let message = format!("{} is not as declared, so a drill would not say much", instance.name());
    let help = "see `andamio plan`, then run `andamio up`";
    Err(Failure::new(Kind::Refused, "not-whole", message, help))
}

/// # Errors
/// Names the drills that did not keep their promise.
fn verdict(drills: &[Drill]) -> Result<(), ErrorReport> {
    let broken: Vec<String> = drills
        .iter()
        .filter(|drill| !drill.passed)
        .map(|drill| format!("{} {}: {}", drill.target.as_str(), drill.fault.as_str(), drill.why))
        .collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(ErrorReport::new("promise", broken.join("; "), "see the time lines for what users saw"))
}
