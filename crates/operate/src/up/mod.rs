//! `plan` and `up`: what is live, what would change, and the operations that change it.

mod actions;
mod checker;
mod cluster;
pub(crate) mod executor;
mod groups;
pub(crate) mod manifest;
mod observe;
mod observed;
mod order;
mod planner;
mod remedy;
mod wanted;

pub use crate::declared::check_limit;
pub use observed::{Checked, Observed};

use crate::actor::heard;
use crate::declared::{self, inputs, render};
use crate::desired::Desired;
use crate::instance::Shared;
use crate::plan::{PlanReport, ReleaseChange};
use crate::release::Context;
use crate::runner::Prepared;
use crate::{Failure, Instance, Kind, OpenMode, Request, hosts, release};
use andamio_converge::{ClusterManifest, Phase, Release};
use andamio_engine::{Accepted, Step};
use andamio_manifest::Manifest;
use andamio_provision::Provider;
use andamio_spec::Group;
use std::sync::Arc;

/// A plan, and what its operations are carried out with.
pub struct Planned {
    pub report: PlanReport,
    pub release: Option<Release>,
    /// What the person overrode; the ledger keeps it.
    pub accepted: Vec<Accepted>,
    /// What has to be recorded as wanted before the first step; `None` where that is recorded already.
    pub desired: Option<Desired>,
    /// Machines that have the keys of all actors already.
    told: Vec<String>,
    manifests: Vec<Manifest>,
    clusters: Vec<ClusterManifest>,
    context: Option<Arc<Context>>,
}

impl Planned {
    /// Steps that carry out a plan of this id: this one, or the same as it was read from a file.
    ///
    /// # Errors
    /// When a manifest cannot be rendered, or an operation is about something that is not there.
    pub fn steps(&self, instance: &Shared, plan: &PlanReport) -> Result<Vec<Step>, Failure> {
        let executor = executor::Executor {
            instance,
            manifests: &self.manifests,
            clusters: &self.clusters,
            release: self.release.as_ref(),
            context: self.context.clone(),
        };
        executor.steps(plan.operations.clone())
    }
}

/// Looks at everything and plans. Changes nothing, here or on a machine.
///
/// # Errors
/// When the application's context cannot be read, or a secret is missing.
pub async fn plan(instance: &Shared, limit: &[String]) -> Result<Planned, Failure> {
    check_limit(instance, limit)?;
    instance.secrets.check_authority()?;
    let (release, context) = wanted::release(instance)?;
    let recorded = instance.desired.as_ref();
    let as_recorded = recorded.filter(|_| instance.request.as_recorded);
    let limit = match as_recorded {
        // What was wanted only of some is not wanted of the others.
        Some(recorded) if limit.is_empty() => &recorded.limit,
        _ => limit,
    };
    let keys = instance.wanted_keys();
    let whole = render(instance, &keys, release.as_ref(), Phase::App)?;
    let parts = andamio_converge::parts(&inputs(instance, release.as_ref(), &keys)?);
    let (observed, live) =
        tokio::join!(observe::observe(instance, &whole, &parts, limit), release::current(instance));
    let live = live?;
    let mut known = std::collections::BTreeMap::new();
    for manifest in &whole {
        known.insert(manifest.machine.clone(), manifest::recorded(instance, manifest).await?);
    }
    let planned = planner::plan(&planner::Input {
        topology: &instance.topology,
        environment: &instance.environment,
        observed: &observed,
        same_declaration: &known,
        live: live.is_some() || release.is_none(),
        release_changes: release
            .as_ref()
            .is_some_and(|r| live.as_ref().is_none_or(|l| l.id != r.id)),
        has_application: release.is_some(),
        limit,
        currency: instance.request.spec.project.currency,
        project: &instance.request.spec.project.name,
        own_machines: !matches!(instance.provider, Provider::Hosts(_)),
        accept: &instance.request.accept,
    });
    let clusters: Vec<Group> = parts.iter().map(|part| part.group).collect();
    let mut operations = order::operations(&order::Input {
        topology: &instance.topology,
        changes: &planned.changes,
        clusters: &clusters,
        image: release.as_ref().map(|release| release.image.as_str()),
        migrates: instance.request.spec.app.migrate.up().is_some(),
    });
    let machines = hosts::lack_key(instance, limit).await;
    let told = in_step(instance, &observed, &machines);
    if !machines.is_empty() {
        operations = order::after_key(machines, operations);
    }
    let asked = planned.report.question().is_some();
    checker::check(&operations, &planned.changes, &instance.topology, asked).map_err(|why| {
        let message = format!("a plan that must not be carried out: {why}");
        Failure::new(Kind::Failed, "operation", message, executor::REPORT)
    })?;
    let desired = match as_recorded {
        Some(_) => None,
        None => declared::wanted(instance, release.as_ref(), limit, true).instead_of(recorded),
    };
    let mut report = planned.report;
    report.operations = operations;
    report.mark_disruptive();
    report.notes.extend(instance.kept_counts.iter().cloned());
    report.desired = Some(Desired::change(desired.as_ref(), recorded));
    report.release = release
        .as_ref()
        .map(|to| ReleaseChange { from: live.map(|live| live.id), to: to.id.clone() });
    Ok(Planned {
        report: report.sealed(),
        release,
        accepted: planned.accepted,
        desired,
        told,
        manifests: whole,
        clusters: parts,
        context: context.map(Arc::new),
    })
}

/// The plan under the lock, ready to be run; `reviewed` is one that somebody has agreed to.
///
/// # Errors
/// As [`plan`], and when the reviewed plan was edited or is not what would be done now.
pub async fn prepare(
    request: &Request,
    limit: &[String],
    reviewed: Option<&PlanReport>,
) -> Result<Prepared, Failure> {
    let instance = Arc::new(Instance::open(request.clone(), OpenMode::Machines).await?);
    let planned = plan(&instance, limit).await?;
    if let Some(reviewed) = reviewed {
        reviewed.still_holds(&planned.report)?;
    }
    // What is read from a file is what is run.
    let report = reviewed.unwrap_or(&planned.report).clone();
    let steps = planned.steps(&instance, &report)?;
    // A run that was killed behind a machine's last change has not noted it.
    for machine in &planned.told {
        heard::note(&instance.store, &instance.actors, machine).await?;
    }
    let Planned { accepted, desired, .. } = planned;
    Ok(Prepared { question: report.question(), instance, report, accepted, desired, steps })
}

/// Machines that are as declared, and so have the keys of all actors. On servers that exist, where only keys are added, those
/// that do not `lack` any.
fn in_step(instance: &Instance, observed: &Observed, lack: &[String]) -> Vec<String> {
    let checks = observed.checks.iter();
    let hosts = matches!(instance.provider, Provider::Hosts(_));
    let told = checks.filter(|(name, checked)| match checked {
        Checked::Answered(_) if hosts => !lack.contains(name),
        Checked::Answered(said) => said.report.changed == 0 && said.report.failed == 0,
        Checked::Silent { .. } => false,
    });
    told.map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod world;
