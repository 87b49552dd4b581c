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
    without_image(operations, topology, &order)?;
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

/// Where a release is built, nobody is told to run it before.
fn without_image(
    operations: &[Operation],
    topology: &Topology,
    order: &Order<'_>,
) -> Result<(), String> {
    let builds = |o: &&Operation| matches!(o.kind, OperationKind::BuildRelease { .. });
    let Some(build) = operations.iter().find(builds) else { return Ok(()) };
    let runs = |operation: &&Operation| {
        let machine = operation.machine.as_ref().and_then(|name| topology.machine(name));
        operation.kind == OperationKind::Converge { extent: Extent::Whole }
            && machine.is_some_and(|machine| machine.roles.contains(&Role::App))
    };
    match operations.iter().filter(runs).find(|o| !order.after(&o.id, &build.id)) {
        Some(operation) => Err(format!("`{}` before the release is built", operation.id)),
        None => Ok(()),
    }
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
        checked(&[build, converge("app-1", &["release"])], false).unwrap();
        let removes = [Operation::new("delete:app-3", "remove", OperationKind::DeleteMachine)];
        assert!(checked(&removes, false).is_err() && checked(&removes, true).is_ok());
    }
}
