//! In which order changes are made: image, network, machines, data services, release, migration, application. Pure.

use super::groups::Groups;
use super::planner::PlannedChanges;
use crate::plan::few;
use crate::plan::operation::{Extent, Operation, OperationKind as Do};
use andamio_converge::{Turn, table};
use andamio_spec::topology::Role;
use andamio_spec::{Group, Topology};

/// What the order depends on.
pub(super) struct Input<'a> {
    pub(super) topology: &'a Topology,
    pub(super) changes: &'a PlannedChanges,
    /// Groups whose cluster is something of its own, beyond its machines.
    pub(super) clusters: &'a [Group],
    /// Name of the release's image, where there is an application.
    pub(super) image: Option<&'a str>,
    /// The application has migrations.
    pub(super) migrates: bool,
}

pub(super) fn operations(input: &Input<'_>) -> Vec<Operation> {
    let mut all = changes(input);
    // A machine is told one thing at a time.
    let first: Vec<String> =
        all.iter().filter_map(|o| o.id.strip_prefix("prerequisites:")).map(str::to_owned).collect();
    for operation in &mut all {
        if let Some((verb, name)) = operation.id.split_once(':')
            && ["converge", "prepare"].contains(&verb)
            && first.iter().any(|machine| machine == name)
        {
            operation.needs.push(format!("prerequisites:{name}"));
        }
    }
    let last: Vec<String> = all
        .iter()
        .filter(|o| o.id.starts_with("converge:") || o.id.starts_with("cluster:"))
        .map(|o| o.id.clone())
        .collect();
    if !last.is_empty() {
        // What one machine was given, another one may have waited for, also one that nothing is done to.
        let title = "wait until all that serves is ready";
        all.push(Operation::new("ready", title, Do::WaitUntilReady).after(last));
        // Nobody is sent to them any more, and their data is there until everything else is well.
        for operation in all.iter_mut().filter(|o| o.kind == Do::DeleteMachine) {
            operation.needs.push("ready".to_owned());
        }
    }
    if input.changes.network {
        // Also machines that run may be reached only then.
        let needs_none =
            |kind: &Do| matches!(kind, Do::BuildMachineImage | Do::MakeNetwork | Do::DeleteMachine);
        for operation in all.iter_mut().filter(|operation| !needs_none(&operation.kind)) {
            operation.needs.push("network".to_owned());
        }
    }
    all
}

/// Nothing is done to servers before the instance's key opens those that it does not open yet.
pub(super) fn after_key(machines: Vec<String>, mut all: Vec<Operation>) -> Vec<Operation> {
    for operation in &mut all {
        operation.needs.push("key".to_owned());
    }
    let title = format!("leave the environment's key on {}", few(&machines));
    all.insert(0, Operation::new("key", title, Do::InstallKey { machines }));
    all
}

fn changes(input: &Input<'_>) -> Vec<Operation> {
    let Input { topology, changes, .. } = *input;
    let mut all = machines(changes);
    let groups = Groups { topology, changes, clusters: input.clusters };
    let mut data = Vec::new();
    for group in of_turn(Turn::Data) {
        data.extend(groups.data(group, &mut all));
    }
    for group in of_turn(Turn::Beside) {
        groups.others(group, &[], &mut all);
    }
    let is_app = |name: &&String| {
        topology.machine(name).is_some_and(|machine| machine.roles.contains(&Role::App))
    };
    let apps: Vec<&String> = changes.converge.iter().filter(is_app).collect();
    if apps.is_empty() {
        for group in of_turn(Turn::Entry) {
            groups.others(group, &data, &mut all);
        }
        all.extend(note(input, Vec::new()));
        return all;
    }
    let prepared = build(input, &groups, &apps, &mut all);
    let mut before = data;
    if input.migrates && changes.migrate && input.image.is_some() {
        migrate(&apps, &prepared, &before, &mut all);
        before.push("migrate".to_owned());
    }
    let mut live: Vec<String> = Vec::new();
    let (rolling, fresh): (Vec<&String>, Vec<&String>) =
        apps.iter().partition(|name| changes.rolling.contains(**name));
    for name in fresh.into_iter().chain(rolling) {
        let id = format!("converge:{name}");
        let mut needs = planned([format!("machine:{name}")], &all);
        needs.extend(prepared.iter().chain(&before).cloned());
        // Those that serve are taken one by one, after those that do not yet.
        if changes.rolling.contains(name) {
            needs.extend(live.iter().cloned());
        }
        let title = format!("converge {name}");
        all.push(
            Operation::new(&id, title, Do::Converge { extent: Extent::Whole })
                .on(name)
                .after(needs),
        );
        live.push(id);
    }
    for group in of_turn(Turn::Entry) {
        groups.others(group, &live, &mut all);
    }
    all.extend(note(input, live));
    all
}

fn of_turn(turn: Turn) -> impl Iterator<Item = Group> {
    Group::ALL.into_iter().filter(move |group| table(group.role()).turn == turn)
}

/// What machines share, and whether they are there and run.
fn machines(changes: &PlannedChanges) -> Vec<Operation> {
    let mut all = Vec::new();
    if changes.image {
        all.push(Operation::new("image", "build the machine image", Do::BuildMachineImage));
    }
    if changes.network {
        all.push(Operation::new("network", "bridge and address translation", Do::MakeNetwork));
    }
    let shared: Vec<String> = all.iter().map(|operation| operation.id.clone()).collect();
    for name in &changes.delete {
        let (id, title) = (format!("delete:{name}"), format!("remove {name}"));
        all.push(Operation::new(id, title, Do::DeleteMachine).on(name));
    }
    for (names, verb, kind) in [
        (&changes.create, "create", Do::CreateMachine),
        (&changes.start, "start", Do::StartMachine),
        (&changes.restart, "restart", Do::RestartMachine),
    ] {
        for name in names {
            let (id, title) = (format!("machine:{name}"), format!("{verb} {name}"));
            let operation = Operation::new(id, title, kind.clone());
            all.push(operation.on(name).after(shared.clone()));
        }
    }
    all
}

/// The image, and beside its build what the machines need before it: when it fails, they are done up to there.
fn build(
    input: &Input<'_>,
    groups: &Groups<'_>,
    apps: &[&String],
    all: &mut Vec<Operation>,
) -> Vec<String> {
    let mut prepared = Vec::new();
    let Some(image) = input.image.filter(|_| input.changes.release) else { return prepared };
    if let Some(builder) = input.topology.builder() {
        let machines: Vec<String> = apps.iter().map(|name| (*name).clone()).collect();
        let needs = machines.iter().chain([&builder.name]).map(|name| format!("machine:{name}"));
        let mut needs = planned(needs, all);
        if input.changes.converge.contains(&builder.name) {
            // It may lack what builds.
            needs.extend(groups.prerequisites_of(&builder.name, all));
        }
        let kind = Do::BuildRelease { machines };
        let operation = Operation::new("release", format!("build {image}"), kind);
        all.push(operation.on(&builder.name).after(needs));
        prepared.push("release".to_owned());
    }
    for name in apps.iter().filter(|name| !input.changes.rolling.contains(**name)) {
        prepared.extend(groups.prerequisites_of(name, all));
    }
    prepared
}

/// The code that migrates is there, and what it migrates; what runs stays as it is meanwhile.
fn migrate(apps: &[&String], prepared: &[String], data: &[String], all: &mut Vec<Operation>) {
    let mut needs = data.to_vec();
    for name in apps {
        let (id, title) = (format!("prepare:{name}"), format!("prepare {name}"));
        let machine = planned([format!("machine:{name}")], all);
        let operation =
            Operation::new(&id, title, Do::Converge { extent: Extent::BeforeMigration });
        all.push(operation.on(name).after(machine).after(prepared.to_vec()));
        needs.push(id);
    }
    if let Some(first) = apps.first() {
        let operation = Operation::new("migrate", "migrate the database", Do::MigrateDatabase);
        all.push(operation.on(first).after(needs));
    }
}

fn note(input: &Input<'_>, needs: Vec<String>) -> Option<Operation> {
    if !input.changes.note || input.image.is_none() {
        return None;
    }
    let has_images = |roles: &[Role]| roles.iter().any(|role| table(*role).has_images);
    let machines = input.topology.machines.iter().filter(|machine| has_images(&machine.roles));
    let mut machines: Vec<String> = machines.map(|machine| machine.name.clone()).collect();
    machines.sort();
    let kind = Do::NoteRelease { machines };
    Some(Operation::new("live", "note the release as live", kind).after(needs))
}

/// Only what is in this plan can be waited for; the rest is live already.
fn planned(ids: impl IntoIterator<Item = String>, all: &[Operation]) -> Vec<String> {
    ids.into_iter().filter(|id| all.iter().any(|operation| operation.id == *id)).collect()
}

#[cfg(test)]
mod tests;
