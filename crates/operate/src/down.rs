//! `down`: removes an instance from this host, data included. Its ledger and secrets stay.

use crate::declared;
use crate::desired::Desired;
use crate::instance::Instance;
use crate::plan::{MachineAction, MachineChange, Operation, OperationKind, PlanReport};
use crate::runner::Prepared;
use crate::up::executor::Executor;
use crate::{Failure, Kind, OpenMode, Request};
use andamio_provision::Provider;
use std::sync::Arc;

/// The plan under the lock, ready to be run.
///
/// # Errors
/// As [`plan`], and when the state cannot be read.
pub async fn prepare(request: &Request) -> Result<Prepared, Failure> {
    // Nothing is made of what is to be removed.
    let instance = Arc::new(Instance::open(request.clone(), OpenMode::ReadOnly).await?);
    let report = plan(&instance)?;
    let recorded = instance.desired.as_ref();
    let release = recorded.and_then(Desired::release);
    let desired = declared::wanted(&instance, release.as_ref(), &[], false).instead_of(recorded);
    let executor = Executor::bare(&instance);
    let steps = executor.steps(report.operations.clone())?;
    let question = (!report.empty).then(|| {
        format!(
            "This removes {} with {} machines and all their data.",
            instance.name(),
            report.machines.len()
        )
    });
    Ok(Prepared { question, report, accepted: Vec::new(), desired, steps, instance })
}

/// What would be removed, and how.
///
/// # Errors
/// Where machines are not Andamio's to remove: says what stays.
fn plan(instance: &Instance) -> Result<PlanReport, Failure> {
    if let Provider::Hosts(hosts) = &instance.provider {
        return Err(stays(instance, &hosts.place));
    }
    let local = instance.local()?;
    let names = local.leftovers();
    let machines = names
        .iter()
        .map(|name| MachineChange {
            name: name.clone(),
            action: MachineAction::Delete,
            note: "its disk is removed".to_owned(),
        })
        .collect();
    let remove = |name: &String| {
        let id = format!("delete:{name}");
        Operation::new(id, format!("remove {name}"), OperationKind::DeleteMachine).on(name)
    };
    let mut operations: Vec<Operation> = names.iter().map(remove).collect();
    if local.exists() {
        let after: Vec<String> = operations.iter().map(|o| o.id.clone()).collect();
        let title = "remove network and folders";
        let rest = Operation::new("instance", title, OperationKind::RemoveEnvironment);
        operations.push(rest.after(after));
    }
    let (env, place) = (instance.topology.env.clone(), instance.topology.place.clone());
    let report = PlanReport { env, place, machines, operations, ..PlanReport::default() };
    Ok(report.sealed())
}

fn stays(instance: &Instance, place: &str) -> Failure {
    let machines: Vec<String> =
        instance.topology.machines.iter().map(|m| format!("{} ({})", m.name, m.address)).collect();
    let message = format!(
        "the servers of `{place}` existed before Andamio and are not its to remove: {} stay as they \
         are, with packages, services, data and the operator's key",
        machines.join(", ")
    );
    let help =
        "stop services with `andamio exec`, remove data by hand, or install the servers anew";
    Failure::new(Kind::Refused, "hosts", message, help)
}
