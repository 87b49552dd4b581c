//! The steps of `up`: image, network, machines, data services, release, migration, application.

use super::actions::{BuildImage, Converge, Delete, How, Live, Machine, Migrate, Network, Ready};
use super::planner::PlannedChanges;
use super::{groups, render};
use crate::Failure;
use crate::instance::Shared;
use crate::release::{Build, Context};
use andamio_converge::{ClusterManifest, Phase, Release};
use andamio_engine::Step;
use andamio_manifest::{Kind, Manifest};
use andamio_spec::Group;
use andamio_spec::topology::Role;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn build(
    instance: &Shared,
    work: &PlannedChanges,
    whole: Vec<Manifest>,
    parts: Vec<ClusterManifest>,
    release: Option<&Release>,
    context: Option<Arc<Context>>,
) -> Result<Vec<Step>, Failure> {
    let probes = whole.iter().map(probes_of).collect();
    let mut steps = all(instance, work, whole, parts, release, context)?;
    // A machine is told one thing at a time.
    let first: Vec<String> = steps
        .iter()
        .filter_map(|s| s.id.strip_prefix("prerequisites:"))
        .map(str::to_owned)
        .collect();
    for step in &mut steps {
        if let Some((verb, name)) = step.id.split_once(':')
            && ["converge", "prepare"].contains(&verb)
            && first.iter().any(|machine| machine == name)
        {
            step.needs.push(format!("prerequisites:{name}"));
        }
    }
    let changes = |step: &Step| step.id.starts_with("converge:") || step.id.starts_with("cluster:");
    let last: Vec<String> = steps.iter().filter(|s| changes(s)).map(|s| s.id.clone()).collect();
    if !last.is_empty() {
        // What one machine was given, another one may have waited for, also one that nothing is done to.
        let action = Ready(Arc::clone(instance), probes);
        steps.push(Step::new("ready", "wait until all that serves is ready", action).after(last));
    }
    let is_shared = |step: &Step| {
        ["image", "network"].contains(&step.id.as_str()) || step.id.starts_with("delete:")
    };
    // Also machines that run may be reached only then.
    let after = |step: Step| {
        if work.network && !is_shared(&step) {
            step.after(vec!["network".to_owned()])
        } else {
            step
        }
    };
    Ok(steps.into_iter().map(after).collect())
}

/// What the machine is asked, as a part: its declared state stays what it is.
fn probes_of(whole: &Manifest) -> Manifest {
    let mut manifest = Manifest { part: true, generation: 0, ..whole.clone() };
    manifest.resources.retain(|resource| matches!(resource.kind, Kind::Probe(_)));
    manifest
}

fn all(
    instance: &Shared,
    work: &PlannedChanges,
    whole: Vec<Manifest>,
    parts: Vec<ClusterManifest>,
    release: Option<&Release>,
    context: Option<Arc<Context>>,
) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    let shared = || Arc::clone(instance);
    let mut needs = Vec::new();
    if work.image {
        needs.push("image".to_owned());
        steps.push(Step::new("image", "build the machine image", BuildImage(shared())));
    }
    if work.network {
        needs.push("network".to_owned());
        steps.push(Step::new("network", "bridge and address translation", Network(shared())));
    }
    for name in &work.delete {
        let action = Delete(shared(), name.clone());
        steps.push(Step::new(format!("delete:{name}"), format!("remove {name}"), action).on(name));
    }
    for (names, how) in
        [(&work.create, How::Create), (&work.start, How::Start), (&work.restart, How::Restart)]
    {
        for name in names {
            let id = format!("machine:{name}");
            let title = format!("{} {name}", how.verb());
            let action = Machine(shared(), name.clone(), how);
            steps.push(Step::new(&id, title, action).on(name).after(needs.clone()));
        }
    }
    // Only what is in this plan can be waited for; the rest is live already.
    let planned = |ids: Vec<String>, steps: &[Step]| -> Vec<String> {
        ids.into_iter().filter(|id| steps.iter().any(|s| s.id == *id)).collect()
    };
    let is_app =
        |name: &str| instance.topology.machine(name).is_some_and(|m| m.roles.contains(&Role::App));
    let plan = groups::Plan { instance, work, whole: &whole, parts: &parts };
    let mut data = Vec::new();
    for group in [Group::Mariadb, Group::Redis, Group::Rabbitmq] {
        data.extend(plan.data(group, &mut steps));
    }
    plan.others(Group::Ops, &[], &mut steps);
    let apps: Vec<&String> = work.converge.iter().filter(|n| is_app(n)).collect();
    let images: BTreeSet<String> = instance
        .topology
        .machines
        .iter()
        .filter(|m| m.roles.contains(&Role::App) || m.roles.contains(&Role::Ops))
        .map(|m| m.name.clone())
        .collect();
    let note = |after: Vec<String>, steps: &mut Vec<Step>| {
        if let (true, Some(release)) = (work.note, release) {
            let action = Live(shared(), release.clone(), images.iter().cloned().collect());
            steps.push(Step::new("live", "note the release as live", action).after(after));
        }
    };
    if apps.is_empty() {
        plan.others(Group::Balancer, &data, &mut steps);
        note(Vec::new(), &mut steps);
        return Ok(steps);
    }
    let mut prepared = Vec::new();
    if let (Some(release), Some(context), true) = (release, context, work.release) {
        if let Some(builder) = instance.topology.builder() {
            let machines: Vec<String> = apps.iter().map(|m| (*m).clone()).collect();
            let needs = machines.iter().chain([&builder.name]).map(|m| format!("machine:{m}"));
            let mut after = planned(needs.collect(), &steps);
            if work.converge.contains(&builder.name) {
                // It may lack what builds.
                after.extend(plan.prerequisites_of(&builder.name, &mut steps));
            }
            let action = Build {
                instance: shared(),
                release: release.clone(),
                context,
                builder: builder.name.clone(),
                machines,
            };
            let title = format!("build {}", release.image);
            steps.push(Step::new("release", title, action).on(&builder.name).after(after));
            prepared.push("release".to_owned());
        }
        // Beside the build: when it fails, the machines are done up to there.
        for name in apps.iter().filter(|name| !work.rolling.contains(**name)) {
            prepared.extend(plan.prerequisites_of(name, &mut steps));
        }
    }
    let mut before_app = data;
    if work.migrate && release.is_some() && !instance.request.spec.app.migrate.is_empty() {
        let base = render(instance, release, Phase::Base)?;
        let mut bases = Vec::new();
        for name in &apps {
            let id = format!("prepare:{name}");
            let mut after = planned(vec![format!("machine:{name}")], &steps);
            after.extend(prepared.clone());
            if let Some(m) = base.iter().find(|m| m.machine == ***name) {
                let action = Converge(shared(), m.clone());
                steps.push(Step::new(&id, format!("prepare {name}"), action).on(name).after(after));
                bases.push(id);
            }
        }
        if let (Some(first), Some(release)) = (apps.first(), release) {
            let action = Migrate(shared(), (*first).clone(), release.clone());
            let step = Step::new("migrate", "migrate the database", action).on(first);
            steps.push(step.after(before_app.clone()).after(bases));
        }
        before_app.push("migrate".to_owned());
    }
    let mut live: Vec<String> = Vec::new();
    let fresh = |name: &&&String| !work.rolling.contains(**name);
    for name in apps.iter().filter(fresh).chain(apps.iter().filter(|n| !fresh(n))) {
        let id = format!("converge:{name}");
        let mut after = planned(vec![format!("machine:{name}")], &steps);
        after.extend(prepared.clone());
        after.extend(before_app.clone());
        // Those that serve are taken one by one, after those that do not yet.
        if work.rolling.contains(*name) {
            after.extend(live.clone());
        }
        if let Some(m) = whole.iter().find(|m| m.machine == ***name) {
            let action = Converge(shared(), m.clone());
            steps.push(Step::new(&id, format!("converge {name}"), action).on(name).after(after));
            live.push(id);
        }
    }
    plan.others(Group::Balancer, &live, &mut steps);
    note(live, &mut steps);
    Ok(steps)
}
