//! What no plan may have, whatever made it: looked at before anything is done. Pure.

use super::planner::PlannedChanges;
use crate::plan::operation::{Extent, Operation, OperationKind};
use andamio_spec::Topology;
use andamio_spec::topology::Role;
use std::collections::{BTreeMap, BTreeSet};

/// Operations and all that must have succeeded before each.
struct Order<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

/// `asked`: a person is asked before the plan is carried out.
///
/// # Errors
/// Names what it has and must not have.
pub(super) fn check(
    operations: &[Operation],
    changes: &PlannedChanges,
    topology: &Topology,
    asked: bool,
) -> Result<(), String> {
    let order = Order::of(operations)?;
    together(operations, changes, topology, &order)?;
    without_image(operations, changes, topology, &order)?;
    let removes = operations.iter().find(|o| o.kind == OperationKind::DeleteMachine);
    match removes.filter(|_| !asked) {
        Some(operation) => Err(format!("`{}` removes data, and nobody is asked", operation.id)),
        None => Ok(()),
    }
}

/// Two members of a group that serve are never restarted at the same time.
fn together(
    operations: &[Operation],
    changes: &PlannedChanges,
    topology: &Topology,
    order: &Order<'_>,
) -> Result<(), String> {
    let serving = |operation: &&Operation| {
        operation.kind == OperationKind::Converge { extent: Extent::Whole }
            && operation.machine.as_ref().is_some_and(|name| changes.rolling.contains(name))
    };
    let group = |operation: &Operation| {
        let machine = operation.machine.as_ref().and_then(|name| topology.machine(name));
        machine.map(|machine| machine.group)
    };
    let all: Vec<&Operation> = operations.iter().filter(serving).collect();
    for (index, one) in all.iter().enumerate() {
        for other in all.iter().skip(index + 1).filter(|other| group(other) == group(one)) {
            if !order.ordered(&one.id, &other.id) {
                return Err(format!("`{}` and `{}` at the same time", one.id, other.id));
            }
        }
    }
    Ok(())
}

/// Where a release has to be built, nobody is told to run it before, or without being sent its image.
fn without_image(
    operations: &[Operation],
    changes: &PlannedChanges,
    topology: &Topology,
    order: &Order<'_>,
) -> Result<(), String> {
    let runs = |operation: &&Operation| {
        let machine = operation.machine.as_ref().and_then(|name| topology.machine(name));
        let extents = [Extent::BeforeMigration, Extent::Whole];
        let told = extents.map(|extent| OperationKind::Converge { extent });
        told.contains(&operation.kind) && machine.is_some_and(|m| m.roles.contains(&Role::App))
    };
    let build = operations.iter().find_map(|operation| match &operation.kind {
        OperationKind::BuildRelease { machines } => Some((&operation.id, machines)),
        _ => None,
    });
    for operation in operations.iter().filter(runs) {
        let why = match build {
            None if changes.release => "of a release that nobody builds",
            None => continue,
            Some((id, _)) if !order.after(&operation.id, id) => "before the release is built",
            Some((_, machines)) if operation.machine.iter().any(|m| !machines.contains(m)) => {
                "of a release whose image is not sent there"
            }
            Some(_) => continue,
        };
        return Err(format!("`{}` {why}", operation.id));
    }
    Ok(())
}

impl<'a> Order<'a> {
    fn of(operations: &'a [Operation]) -> Result<Self, String> {
        let mut before: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        while before.len() < operations.len() {
            let known = before.len();
            for operation in operations {
                let needs = operation.needs.iter().map(|id| {
                    let earlier = before.get(id.as_str())?;
                    Some(earlier.iter().copied().chain([id.as_str()]).collect::<Vec<_>>())
                });
                if let Some(needs) = needs.collect::<Option<Vec<_>>>() {
                    before.insert(&operation.id, needs.into_iter().flatten().collect());
                }
            }
            if before.len() == known {
                let stuck = operations.iter().find(|o| !before.contains_key(o.id.as_str()));
                return Err(stuck.map_or_else(
                    || "two operations of the same name".to_owned(),
                    |o| format!("`{}` waits for something that never comes", o.id),
                ));
            }
        }
        Ok(Self(before))
    }

    fn after(&self, later: &str, earlier: &str) -> bool {
        self.0.get(later).is_some_and(|before| before.contains(earlier))
    }

    fn ordered(&self, one: &str, other: &str) -> bool {
        self.after(one, other) || self.after(other, one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::world::World;

    fn converge(machine: &str, needs: &[&str]) -> Operation {
        let kind = OperationKind::Converge { extent: Extent::Whole };
        let id = format!("converge:{machine}");
        let needs = needs.iter().map(|&id| id.to_owned());
        Operation::new(id, machine, kind).on(machine).after(needs)
    }

    fn checked(operations: &[Operation], asked: bool) -> Result<(), String> {
        let rolling = ["redis-1", "redis-2", "app-1"].map(str::to_owned).to_vec();
        let changes = PlannedChanges { rolling, ..PlannedChanges::default() };
        check(operations, &changes, &World::new("prod").topology, asked)
    }

    #[test]
    fn members_that_serve_come_one_after_the_other() {
        let wrong = [converge("redis-1", &[]), converge("redis-2", &[]), converge("app-1", &[])];
        assert!(checked(&wrong, false).unwrap_err().contains("at the same time"));
        let between = converge("redis-3", &["converge:redis-1"]);
        let right = [converge("redis-1", &[]), converge("redis-2", &["converge:redis-3"]), between];
        checked(&right, false).unwrap();
    }

    #[test]
    fn what_is_waited_for_comes() {
        let nobody = [converge("redis-1", &["converge:redis-2"])];
        let circle =
            [converge("redis-1", &["converge:app-1"]), converge("app-1", &["converge:redis-1"])];
        for wrong in [&nobody[..], &circle] {
            assert!(checked(wrong, false).unwrap_err().contains("never comes"));
        }
        let twice = [converge("redis-1", &[]), converge("redis-1", &[])];
        assert!(checked(&twice, false).unwrap_err().contains("same name"));
    }

    #[test]
    fn a_release_is_built_before_it_runs_and_data_is_not_removed_unasked() {
        let machines = vec!["app-1".to_owned()];
        let build = Operation::new("release", "build", OperationKind::BuildRelease { machines });
        let wrong = [build.clone(), converge("app-1", &[])];
        assert!(checked(&wrong, false).unwrap_err().contains("before the release"));
        checked(&[build.clone(), converge("app-1", &["release"])], false).unwrap();
        let other = [build, converge("app-2", &["release"])];
        assert!(checked(&other, false).unwrap_err().contains("not sent there"));
        let changes = PlannedChanges { release: true, ..PlannedChanges::default() };
        let alone = [converge("app-2", &[])];
        let none = check(&alone, &changes, &World::new("prod").topology, false);
        assert!(none.unwrap_err().contains("nobody builds"));
        // It runs what is there.
        checked(&alone, false).unwrap();
        let removes = [Operation::new("delete:app-3", "remove", OperationKind::DeleteMachine)];
        assert!(checked(&removes, false).is_err() && checked(&removes, true).is_ok());
    }
}
