//! From what is declared and what is live to what has to be done. Pure: the same input gives the same
//! plan.

mod disk;
mod money;
mod notes;

use super::observed::{Checked, Observed};
use crate::accept;
use crate::plan::{Change, MachineAction, MachineChange, PlanReport, Reason, Refused};
use andamio_converge::{QUADLETS, RoleTable, Turn, table, tables, unit_fits};
use andamio_engine::Accepted;
use andamio_manifest::{Event, Outcome};
use andamio_provision::MachineState;
use andamio_spec::topology::{Machine, Role};
use andamio_spec::{Currency, Environment, Group, Topology, check_limits, check_traffic, counts};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(super) struct Input<'a> {
    pub(super) topology: &'a Topology,
    pub(super) environment: &'a Environment,
    pub(super) observed: &'a Observed,
    /// Machines whose declared state is the one they were last sent.
    pub(super) same_declaration: &'a BTreeMap<String, bool>,
    pub(super) release_changes: bool,
    /// There is an application, of which a release is made.
    pub(super) has_application: bool,
    /// Users may be there: a release is live, or there is no application to judge by.
    pub(super) live: bool,
    /// Machines to stay with; empty: all.
    pub(super) limit: &'a [String],
    pub(super) currency: Currency,
    pub(super) project: &'a str,
    /// Machines are Andamio's: it pays for them and restarts them. Not those that somebody has already.
    pub(super) own_machines: bool,
    /// Refusals that the person overrides, with the reason.
    pub(super) accept: &'a BTreeMap<String, String>,
}

/// What has to be done, machine by machine.
#[derive(Debug, Default)]
pub(super) struct PlannedChanges {
    pub(super) image: bool,
    pub(super) network: bool,
    pub(super) create: Vec<String>,
    pub(super) start: Vec<String>,
    pub(super) restart: Vec<String>,
    pub(super) converge: Vec<String>,
    /// Those of `converge` and `restart` that serve now: taken one after another.
    pub(super) rolling: Vec<String>,
    /// Groups whose cluster as a whole has to be put right, after its machines.
    pub(super) clusters: BTreeSet<Group>,
    pub(super) delete: Vec<String>,
    /// Members that lost their data, though their machine and its disk are there.
    pub(super) emptied: Vec<String>,
    pub(super) release: bool,
    pub(super) migrate: bool,
    /// After it all of the application's machines run this release, and it has to be noted as live.
    pub(super) note: bool,
}

pub(super) struct Plan {
    pub(super) report: PlanReport,
    pub(super) changes: PlannedChanges,
    pub(super) accepted: Vec<Accepted>,
}

const REPAIR: &str = "repair";
/// What a change is of that is not a machine's.
const HOST: &str = "host";

pub(super) fn plan(input: &Input<'_>) -> Plan {
    let mut planned = PlannedChanges::default();
    let mut machines = Vec::new();
    let mut changes = Vec::new();
    let wanted = |name: &str| input.limit.is_empty() || input.limit.iter().any(|l| l == name);
    for machine in input.topology.machines.iter().filter(|m| wanted(&m.name)) {
        machines.push(one(input, machine, &mut planned, &mut changes));
    }
    for name in input.observed.inventory.surplus.iter().filter(|n| wanted(n)) {
        planned.delete.push(name.clone());
        let note = "not declared any more; its disk is removed".to_owned();
        machines.push(MachineChange { name: name.clone(), action: MachineAction::Delete, note });
    }
    clusters(input, &mut planned, &mut changes);
    for change in changes.iter_mut().filter(|change| notes::moves_application(change)) {
        change.disrupts = input.live;
    }
    let new_machines =
        !planned.create.is_empty() || !planned.start.is_empty() || !planned.restart.is_empty();
    planned.image = !planned.create.is_empty() && !input.observed.shared.image;
    planned.network = !input.observed.shared.network.is_empty() || new_machines;
    changes.extend(network_change(input));
    let has_role = |name: &String, role: Role| {
        input.topology.machine(name).is_some_and(|m| m.roles.contains(&role))
    };
    let touches_app = planned.converge.iter().any(|m| has_role(m, Role::App));
    // A machine that answered and lacks no image needs no build.
    let lacks_image = |m: &String| {
        has_role(m, Role::App)
            && (!answered(input, m)
                || changes.iter().any(|c| c.machine == *m && c.resource.starts_with("image:")))
    };
    planned.release = input.has_application
        && touches_app
        && (input.release_changes || planned.converge.iter().any(lacks_image));
    // An empty database needs its schema, whatever the release.
    let is_migrated = |name: &String| {
        input.topology.machine(name).is_some_and(|m| m.roles.iter().any(|r| table(*r).is_migrated))
    };
    let new_database = planned.create.iter().chain(&planned.emptied).any(is_migrated);
    planned.migrate = touches_app && (input.release_changes || new_database)
        || planned.create.iter().any(|m| has_role(m, Role::App));
    if new_database && !touches_app {
        let apps: Vec<String> =
            input.topology.with_role(Role::App).map(|m| m.name.clone()).collect();
        planned.release = input.has_application && apps.iter().any(lacks_image);
        planned.rolling.extend(apps.iter().filter(|name| runs(input, name)).cloned());
        planned.converge.extend(apps);
        planned.migrate = true;
    }
    planned.note = (input.release_changes || planned.release || planned.migrate)
        && runs_everywhere(input, &planned);
    let (cost, over) = if input.own_machines { money::change(input) } else { (None, None) };
    let traffic = if input.own_machines {
        check_traffic(input.environment, input.currency)
    } else {
        Vec::new()
    };
    let refusals = check_limits(input.environment, &counts(input.environment))
        .into_iter()
        .chain(traffic)
        .chain(over)
        .map(accept::refused)
        .chain(beyond_budget(input, &planned, &changes))
        .chain(disk::shrinking(input))
        .collect();
    let (refusals, accepted) = accept::split(refusals, input.accept);
    let mut notes = notes::of(input, &planned, &changes);
    notes.extend(accept::notes(&accepted));
    let (env, place) = (input.topology.env.clone(), input.topology.place.clone());
    let report = PlanReport {
        env,
        place,
        machines,
        changes,
        cost,
        refusals,
        notes,
        ..PlanReport::default()
    };
    Plan { report: report.sealed(), changes: planned, accepted }
}

fn one(
    input: &Input<'_>,
    machine: &Machine,
    planned: &mut PlannedChanges,
    changes: &mut Vec<Change>,
) -> MachineChange {
    let name = machine.name.clone();
    let found = input.observed.inventory.get(&name);
    let state = found.map_or(MachineState::Missing, |f| f.state);
    let mut note = String::new();
    let action = match state {
        MachineState::Missing => {
            let known = input.same_declaration.get(&name).copied().unwrap_or_default();
            if known && table(machine.group.role()).turn == Turn::Data {
                "its disk is gone: what only it held is lost".clone_into(&mut note);
            }
            planned.create.push(name.clone());
            planned.converge.push(name.clone());
            MachineAction::Create
        }
        MachineState::Stopped => {
            planned.start.push(name.clone());
            planned.converge.push(name.clone());
            "its disk is there".clone_into(&mut note);
            MachineAction::Start
        }
        // It keeps nothing that it is told, and no service on it can be mended.
        MachineState::Running if found.is_some_and(|f| f.read_only) => {
            planned.restart.push(name.clone());
            planned.converge.push(name.clone());
            "its disk has become read-only: it is restarted, and its disk checked"
                .clone_into(&mut note);
            MachineAction::Start
        }
        MachineState::Running => match input.observed.checks.get(&name) {
            Some(Checked::Answered(said)) => {
                let before = changes.len();
                for event in &said.events {
                    changes.extend(change(input, &name, event));
                }
                let own = changes.get(before..).unwrap_or_default();
                if !own.is_empty() {
                    planned.converge.push(name.clone());
                }
                if own.iter().any(|change| notes::lost_data(change).is_some()) {
                    planned.emptied.push(name.clone());
                } else if serves(&said.events) {
                    planned.rolling.push(name.clone());
                }
                if found.is_some_and(|f| f.outdated) {
                    planned.restart.push(name.clone());
                    planned.converge.push(name.clone());
                    "restarted for its new size".clone_into(&mut note);
                    MachineAction::Start
                } else {
                    MachineAction::None
                }
            }
            Some(Checked::Silent { hangs: true, .. }) if found.is_some_and(|f| f.booting) => {
                "it is still starting".clone_into(&mut note);
                planned.converge.push(name.clone());
                MachineAction::Start
            }
            Some(Checked::Silent { hangs: true, .. })
                if !input.observed.shared.network.is_empty() =>
            {
                "it is reached when its network on this host is mended".clone_into(&mut note);
                planned.converge.push(name.clone());
                MachineAction::Start
            }
            Some(Checked::Silent { why, hangs }) => {
                why.clone_into(&mut note);
                if *hangs && input.own_machines {
                    note.push_str("; it is restarted, its disk stays");
                    planned.restart.push(name.clone());
                }
                planned.converge.push(name.clone());
                // Only a restart of what users may be using has to be asked for.
                if input.own_machines && (!hangs || !input.live) {
                    MachineAction::Start
                } else {
                    MachineAction::Unreachable
                }
            }
            // Started by somebody else between two looks.
            None => {
                planned.converge.push(name.clone());
                MachineAction::Unreachable
            }
        },
    };
    planned.converge.dedup();
    MachineChange { name, action, note }
}

/// What runs is what is live, also where an earlier run brought it and did not see it come up.
fn runs_everywhere(input: &Input<'_>, planned: &PlannedChanges) -> bool {
    let differs = |event: &Event| match event {
        Event::Resource { resource, outcome, .. } => {
            matches!(outcome, Outcome::Changed | Outcome::Failed)
                && of_release(input.project, resource)
        }
        Event::Started { .. } | Event::Done(_) => false,
    };
    input.topology.with_role(Role::App).all(|machine| {
        planned.converge.contains(&machine.name)
            || match input.observed.checks.get(&machine.name) {
                Some(Checked::Answered(said)) => !said.events.iter().any(differs),
                Some(Checked::Silent { .. }) | None => false,
            }
    })
}

/// The host's side of the network, where machines stand that need it.
fn network_change(input: &Input<'_>) -> Option<Change> {
    let differs = &input.observed.shared.network;
    let stands = input.observed.inventory.machines.iter().any(|m| m.state != MachineState::Missing);
    (stands && !differs.is_empty()).then(|| Change {
        machine: HOST.to_owned(),
        resource: "network".to_owned(),
        action: REPAIR.to_owned(),
        reason: Reason::Drift,
        diff: differs.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"),
        disrupts: false,
    })
}

fn answered(input: &Input<'_>, machine: &str) -> bool {
    matches!(input.observed.checks.get(machine), Some(Checked::Answered(_)))
}

fn runs(input: &Input<'_>, machine: &str) -> bool {
    match input.observed.checks.get(machine) {
        Some(Checked::Answered(said)) => serves(&said.events),
        Some(Checked::Silent { .. }) | None => false,
    }
}

/// Whether somebody would miss the machine: all that it is asked answers, and its services run. One that
/// is down, or was never finished, is nobody that has to be spared, and may need the others to come up.
fn serves(events: &[Event]) -> bool {
    events.iter().all(|event| {
        let Event::Resource { resource, outcome, down, .. } = event else { return true };
        if resource.starts_with("probe:") {
            return *outcome == Outcome::Ok;
        }
        // Of the application its probes speak.
        let service = resource.strip_prefix("unit:").is_some_and(|unit| {
            tables().filter_map(RoleTable::unit).any(|pattern| unit_fits(pattern, unit))
        });
        !service || *outcome == Outcome::Ok || *outcome == Outcome::Changed && !*down
    })
}

fn change(input: &Input<'_>, machine: &str, event: &Event) -> Option<Change> {
    let Event::Resource { resource, outcome, diff, message, disrupts, .. } = event else {
        return None;
    };
    let action = match outcome {
        Outcome::Ok => return None,
        Outcome::Changed => "change",
        // A probe that fails now will be waited for; anything else is tried again.
        Outcome::Failed => REPAIR,
        Outcome::Skipped => return None,
    };
    let known = input.same_declaration.get(machine).copied().unwrap_or_default();
    let reason = if known {
        Reason::Drift
    } else if input.release_changes && of_release(input.project, resource) {
        Reason::Release
    } else {
        Reason::Spec
    };
    let diff = if diff.is_empty() { message.clone() } else { diff.clone() };
    Some(Change {
        machine: machine.to_owned(),
        resource: resource.clone(),
        action: action.to_owned(),
        reason,
        diff,
        // Before the first release is live there are no users. Data may be there before.
        disrupts: *disrupts && (input.live || resource.starts_with(notes::STORE)),
    })
}

/// What is not right with a cluster although each of its machines may be.
fn clusters(input: &Input<'_>, planned: &mut PlannedChanges, changes: &mut Vec<Change>) {
    let group = |name: &String| input.topology.machine(name).map(|m| m.group);
    planned.clusters.extend(planned.converge.iter().filter_map(group));
    for (group, machine, said) in &input.observed.clusters {
        let wanted = input.limit.is_empty() || input.limit.contains(machine);
        let differs: Vec<Change> =
            said.events.iter().filter_map(|event| change(input, machine, event)).collect();
        if wanted && !differs.is_empty() {
            planned.clusters.insert(*group);
            changes.extend(differs);
        }
    }
}

/// A member that serves must not be restarted while as many are away as may be, and stay away.
fn beyond_budget(input: &Input<'_>, planned: &PlannedChanges, changes: &[Change]) -> Vec<Refused> {
    let mut refusals = Vec::new();
    for budget in input.topology.budgets.iter().filter(|b| b.max_unavailable > 0 && b.machines > 1)
    {
        let names: Vec<&str> =
            input.topology.group(budget.group).map(|m| m.name.as_str()).collect();
        let serves =
            |name: &&&str| matches!(input.observed.checks.get(**name), Some(Checked::Answered(_)));
        let stay_away: Vec<&str> = names
            .iter()
            .filter(|name| !serves(name) && !planned.converge.iter().any(|c| c == *name))
            .copied()
            .collect();
        let restarts = |name: &&&str| {
            let serves = planned.rolling.iter().any(|r| r == *name);
            let of_unit = |c: &Change| c.machine == **name && c.resource.starts_with("unit:");
            serves && (changes.iter().any(of_unit) || planned.restart.iter().any(|r| r == *name))
        };
        let next: Vec<&str> = names.iter().filter(restarts).copied().collect();
        if u32::try_from(stay_away.len()).unwrap_or(u32::MAX) >= budget.max_unavailable
            && !next.is_empty()
        {
            refusals.push(Refused {
                code: "members".to_owned(),
                rule: String::new(),
                message: format!(
                    "{} of {} {} away, and this would restart {} ({})",
                    stay_away.join(", "),
                    budget.group,
                    if stay_away.len() == 1 { "is" } else { "are" },
                    next.join(", "),
                    budget.reason,
                ),
                help: format!("bring {} back first, or leave out --limit", stay_away.join(", ")),
            });
        }
    }
    refusals
}

/// What another release changes: image, container files, and the units made of them.
fn of_release(project: &str, resource: &str) -> bool {
    let Some((kind, name)) = resource.split_once(':') else { return false };
    match kind {
        "image" => true,
        "file" => Path::new(name).starts_with(QUADLETS),
        "unit" => name.strip_prefix(project).is_some_and(|rest| rest.starts_with('-')),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
