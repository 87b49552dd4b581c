//! `down`: removes an instance from this host, data included. Its ledger and secrets stay.

use crate::failure::fault;
use crate::instance::Shared;
use crate::release;
use crate::up::manifest;
use andamio_engine::{
    Action, BoxFuture, Fault, MachineAction, MachineChange, Outcome, PlanReport, Step, StepContext,
};
use std::sync::Arc;

/// What would be removed, and the steps that do it.
#[must_use]
pub fn plan(instance: &Shared) -> (PlanReport, Vec<Step>) {
    let names = instance.local.leftovers();
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
    report.empty = !instance.local.exists();
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
    (report, steps)
}

struct Destroy(Shared, String);
struct Rest(Shared);

impl Action for Destroy {
    fn apply<'a>(
        &'a self,
        _: &'a StepContext<'a>,
    ) -> BoxFuture<'a, Result<Outcome, Fault>> {
        Box::pin(async move {
            self.0.local.destroy(&self.1).await.map_err(|e| fault(&e))?;
            Ok(Outcome::Changed(1))
        })
    }
}

impl Action for Rest {
    fn apply<'a>(
        &'a self,
        _: &'a StepContext<'a>,
    ) -> BoxFuture<'a, Result<Outcome, Fault>> {
        Box::pin(async move {
            for machine in &self.0.topology.machines {
                manifest::forget(&self.0, &machine.name).await.map_err(|f| f.fault)?;
            }
            release::forget(&self.0).await.map_err(|f| f.fault)?;
            self.0.local.destroy_instance().await.map_err(|e| fault(&e))?;
            Ok(Outcome::Changed(1))
        })
    }
}
