//! `plan` and `up`: what is live, what would change, and the steps that change it.

mod actions;
mod checker;
mod cluster;
mod executor;
mod groups;
pub(crate) mod manifest;
mod observe;
mod operation;
mod order;
mod planner;
mod remedy;

pub use observe::{Checked, Observed};

use crate::instance::Shared;
use crate::{Failure, Instance, Kind, release};
use andamio_converge::{Inputs, Phase, Release, manifests_of};
use andamio_engine::{Accepted, PlanReport, Step};
use andamio_manifest::Manifest;
use andamio_provision::Provider;
use andamio_spec::Group;
use std::sync::Arc;

/// A plan with everything that is needed to run it.
pub struct Planned {
    pub report: PlanReport,
    pub steps: Vec<Step>,
    pub release: Option<Release>,
    /// What the person overrode; the ledger keeps it.
    pub accepted: Vec<Accepted>,
}

/// Looks at everything and plans. Changes nothing, here or on a machine.
///
/// # Errors
/// When the application's context cannot be read, or a secret is missing.
pub async fn plan(instance: &Shared, limit: &[String]) -> Result<Planned, Failure> {
    check_limit(instance, limit)?;
    instance.secrets.check_authority()?;
    let context = release::context(instance)?;
    if let Some(missing) = context.as_ref().and_then(|c| c.unprepared.first()) {
        return Err(Failure::new(
            Kind::Failed,
            "unprepared",
            format!("the Containerfile copies {}, and it is not there", missing.display()),
            "correct `prepare` in andamio.toml or the path in the Containerfile",
        ));
    }
    let release = context.as_ref().map(|c| release::of(instance, c));
    let whole = render(instance, release.as_ref(), Phase::App)?;
    let keys = [instance.secrets.ssh_public()];
    let parts = andamio_converge::parts(&inputs(instance, release.as_ref(), &keys));
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
        limit,
        currency: instance.request.spec.project.currency,
        project: &instance.request.spec.project.name,
        own_machines: !matches!(instance.provider, Provider::Hosts(_)),
        accept: &instance.request.accept,
    });
    let clusters: Vec<Group> = parts.iter().map(|part| part.group).collect();
    let operations = order::operations(&order::Input {
        topology: &instance.topology,
        changes: &planned.work,
        clusters: &clusters,
        image: release.as_ref().map(|release| release.image.as_str()),
        migrates: !instance.request.spec.app.migrate.is_empty(),
    });
    let asked = planned.report.question().is_some();
    checker::check(&operations, &planned.work, &instance.topology, asked).map_err(|why| {
        let message = format!("a plan that must not be carried out: {why}");
        Failure::new(Kind::Failed, "operation", message, executor::REPORT)
    })?;
    let executor = executor::Executor {
        instance,
        manifests: &whole,
        clusters: &parts,
        release: release.as_ref(),
        context: context.map(Arc::new),
    };
    let steps = executor.steps(operations)?;
    Ok(Planned { report: planned.report, steps, release, accepted: planned.accepted })
}

/// Manifests of all machines, generation 0: it is given when they are sent.
pub(crate) fn render(
    instance: &Shared,
    release: Option<&Release>,
    phase: Phase,
) -> Result<Vec<Manifest>, Failure> {
    let keys = [instance.secrets.ssh_public()];
    let inputs = inputs(instance, release, &keys);
    manifests_of(&inputs, phase).map_err(|e| Failure::error(Kind::Failed, "manifest", &e, e.help()))
}

pub(crate) fn inputs<'a>(
    instance: &'a Shared,
    release: Option<&'a Release>,
    keys: &'a [String],
) -> Inputs<'a> {
    Inputs {
        spec: &instance.request.spec,
        topology: &instance.topology,
        environment: &instance.environment,
        secrets: instance.secrets.values(),
        release,
        operator_keys: keys,
        resolver: instance.resolver.as_deref(),
        generation: 0,
    }
}

/// Are all machines of `--limit` declared?
///
/// # Errors
/// Names the first that is not, with a near one.
pub fn check_limit(instance: &Instance, limit: &[String]) -> Result<(), Failure> {
    let names: Vec<&str> = instance.topology.machines.iter().map(|m| m.name.as_str()).collect();
    for name in limit {
        if !names.contains(&name.as_str()) {
            return Err(no_machine(instance, name));
        }
    }
    Ok(())
}

/// The machine is not declared; names a near one.
pub(crate) fn no_machine(instance: &Instance, name: &str) -> Failure {
    let names: Vec<&str> = instance.topology.machines.iter().map(|m| m.name.as_str()).collect();
    let all = names.join(", ");
    let help = match andamio_spec::suggest(name, &names) {
        Some(near) => format!("did you mean `{near}`? {} has {all}", instance.name()),
        None => format!("{} has {all}", instance.name()),
    };
    Failure::new(Kind::Usage, "machine", format!("no machine `{name}`"), &help)
}

#[cfg(test)]
mod world;
