//! `down`: removes an instance from this host, data included. Its ledger and secrets stay.

use crate::failure::fault;
use crate::instance::Shared;
use crate::release;
use crate::up::manifest;
use crate::{Failure, Kind};
use andamio_engine::{
    Action, BoxFuture, ErrorReport, MachineAction, MachineChange, Outcome, PlanReport, Step,
    StepContext,
};
use andamio_provision::Provider;
use std::sync::Arc;

/// What would be removed, and the steps that do it.
///
/// # Errors
/// Where machines are not Andamio's to remove: says what stays.
pub fn plan(instance: &Shared) -> Result<(PlanReport, Vec<Step>), Failure> {
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
    let topology = &instance.topology;
    let mut report = PlanReport::new(
        &topology.env,
        &topology.place,
        machines,
        Vec::new(),
        None,
        Vec::new(),
        Vec::new(),
    );
    report.empty = !local.exists();
    let mut steps: Vec<Step> = names
        .iter()
        .map(|name| {
            let action = Destroy(Arc::clone(instance), name.clone());
            Step::new(format!("delete:{name}"), format!("remove {name}"), action).on(name)
        })
        .collect();
    if !report.empty {
        let after: Vec<String> = steps.iter().map(|s| s.id.clone()).collect();
        let rest = Step::new("instance", "remove network and folders", Rest(Arc::clone(instance)));
        steps.push(rest.after(after));
    }
    Ok((report, steps))
}

fn stays(instance: &Shared, place: &str) -> Failure {
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

struct Destroy(Shared, String);
struct Rest(Shared);

impl Action for Destroy {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> BoxFuture<'a, Result<Outcome, ErrorReport>> {
        Box::pin(async move {
            self.0.local()?.destroy(&self.1).await.map_err(|e| fault(&e))?;
            Ok(Outcome::Changed(1))
        })
    }
}

impl Action for Rest {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> BoxFuture<'a, Result<Outcome, ErrorReport>> {
        Box::pin(async move {
            for machine in &self.0.topology.machines {
                manifest::forget(&self.0, &machine.name).await.map_err(|f| f.error)?;
            }
            release::forget(&self.0).await.map_err(|f| f.error)?;
            self.0.local()?.destroy_instance().await.map_err(|e| fault(&e))?;
            Ok(Outcome::Changed(1))
        })
    }
}
