//! Plans of a cluster whose members serve, are down, or are away.

use super::*;
use crate::node::NodeReport;
use crate::up::world::{World, event, restart};

#[test]
fn a_port_that_the_balancers_lose_is_asked_for() {
    let plan = |diff: &str| {
        let mut world = World::new("prod");
        world.says(
            "balancer-1",
            vec![event("file:/etc/haproxy/haproxy.cfg", Outcome::Changed, diff)],
        );
        world.plan(&[]).report
    };
    let moved = "-    server app-1 198.18.7.10:8080\n+    server app-1 198.18.7.10:8443 ssl verify required";
    assert!(plan(moved).changes[0].disrupts);
    assert!(plan(moved).notes.iter().any(|note| note.contains("another port")));
    for grown in
        ["+    server app-2 198.18.7.11:8080", "-    timeout queue 2s\n+    timeout queue 3s"]
    {
        assert!(!plan(grown).changes[0].disrupts);
        assert!(!plan(grown).notes.iter().any(|note| note.contains("another port")));
    }
}

#[test]
fn nothing_to_do_is_nothing() {
    let planned = World::new("prod").plan(&[]);
    assert!(planned.report.empty && planned.changes.clusters.is_empty());
}

#[test]
fn members_that_serve_are_taken_one_by_one() {
    let mut world = World::new("prod");
    for name in ["mariadb-1", "mariadb-2", "mariadb-3"] {
        world.says(name, restart());
    }
    let planned = world.plan(&[]).changes;
    assert!(planned.converge.iter().all(|name| planned.rolling.contains(name)));
    let mut unit = event("unit:mariadb.service", Outcome::Changed, "- failed (failed)\n+ active");
    if let Event::Resource { down, .. } = &mut unit {
        *down = true;
    }
    // Its probe was still answered.
    world.says("mariadb-2", vec![unit, event("probe:mariadb", Outcome::Ok, "")]);
    let never = vec![
        event("probe:mariadb", Outcome::Skipped, ""),
        event("file:/a", Outcome::Changed, "+ b"),
    ];
    world.says("mariadb-3", never);
    let planned = world.plan(&[]).changes;
    assert!(planned.rolling.contains(&"mariadb-1".to_owned()));
    assert!(!planned.rolling.iter().any(|n| n == "mariadb-2" || n == "mariadb-3"));
    assert_eq!(planned.converge, ["mariadb-1", "mariadb-2", "mariadb-3"]);
}

#[test]
fn the_majority_is_not_taken_away() {
    let mut world = World::new("prod");
    world.is_away("mariadb-3");
    world.says("mariadb-1", restart());
    let planned = world.plan(&["mariadb-1"]);
    assert_eq!(planned.report.refusals[0].code, "members");
    assert!(planned.report.refusals[0].message.contains("mariadb-3 of mariadb is away"));
    // Brought back in the same plan, and before the other is touched.
    assert!(world.plan(&[]).report.refusals.is_empty());
}

#[test]
fn a_disk_grows_and_does_not_shrink() {
    let mut world = World::new("dev");
    let machine = world.topology.machine("redis-1").unwrap().clone();
    let index = world.topology.machines.iter().position(|m| m.name == machine.name).unwrap();
    world.observed.inventory.machines[index].disk_bytes = machine.disk_bytes + 1;
    let planned = world.plan(&[]);
    assert_eq!(planned.report.refusals[0].code, "disk-shrinks");
    assert_eq!(planned.report.refusals[0].rule, "environments.dev.redis.disk");
    assert!(world.plan(&["app-1"]).report.refusals.is_empty());
    // One without a disk of its own, or with a smaller one, is nothing to refuse.
    for has in [0, machine.disk_bytes - 1, machine.disk_bytes] {
        world.observed.inventory.machines[index].disk_bytes = has;
        assert!(world.plan(&[]).report.refusals.is_empty());
    }
}

#[test]
fn a_cluster_can_be_wrong_while_its_machines_are_not() {
    let mut world = World::new("prod");
    let events = vec![event("redis:cluster", Outcome::Changed, "+ a copy was planned as a master")];
    let said = NodeReport { events, ..NodeReport::default() };
    world.observed.clusters.push((Group::Redis, "redis-1".to_owned(), said));
    let planned = world.plan(&[]);
    assert!(!planned.report.empty && planned.changes.clusters.contains(&Group::Redis));
    assert!(planned.changes.converge.is_empty());
    assert!(world.plan(&["app-1"]).report.empty);
}

#[test]
fn money_is_a_refusal_that_can_be_overridden_and_a_limit_is_not() {
    let mut world = World::new("prod");
    for environment in &mut world.spec.environments {
        environment.budget = Some(500);
        environment.limits.machines = Some(14);
    }
    let codes = |planned: &Plan| -> Vec<String> {
        planned.report.refusals.iter().map(|refusal| refusal.code.clone()).collect()
    };
    let refused = world.plan(&[]);
    assert_eq!(codes(&refused), ["quota", "budget"]);
    assert_eq!(refused.report.refusals[0].rule, "environments.prod.limits.machines");
    let only_money = BTreeMap::from([("budget".to_owned(), "agreed with Marta".to_owned())]);
    let accepted = world.plan_with(&[], &only_money);
    assert_eq!(codes(&accepted), ["quota"]);
    assert_eq!(accepted.accepted[0].reason, "agreed with Marta");
    assert!(accepted.report.notes.iter().any(|note| note.contains("agreed with Marta")));
    // What was reviewed with a reason is another plan than without.
    assert_ne!(accepted.report.id, refused.report.id);
}

#[test]
fn a_release_that_all_machines_run_is_noted_and_no_other() {
    let plan = |world: &World, limit: &[&str], changes: bool| {
        world.plan_release(limit, &BTreeMap::new(), changes)
    };
    let mut world = World::new("prod");
    assert!(!plan(&world, &[], false).changes.note, "it is noted already");
    let late = plan(&world, &[], true);
    assert!(late.changes.note && late.report.empty && !late.changes.release, "{:?}", late.changes);
    assert!(late.report.notes.iter().any(|note| note.contains("already")), "{:?}", late.report);
    let quadlet = "file:/etc/containers/systemd/ficharfirm-web.container";
    world.says("app-2", vec![event(quadlet, Outcome::Changed, "+ x")]);
    assert!(plan(&world, &[], true).changes.note, "app-2 is brought there");
    assert!(!plan(&world, &["app-1"], true).changes.note, "app-2 stays with another");
    world.says("app-2", vec![event("file:/etc/hosts", Outcome::Changed, "+ x")]);
    assert!(plan(&world, &["app-1"], true).changes.note, "it differs in something else");
    world.is_away("app-3");
    assert!(!plan(&world, &["app-1"], true).changes.note, "nobody knows what app-3 runs");
}

#[test]
fn a_disk_that_became_read_only_is_a_restart() {
    let mut world = World::new("dev");
    world.observed.inventory.machines[0].read_only = true;
    let planned = world.plan(&[]);
    let machine = &planned.report.machines[0];
    assert_eq!(machine.action, MachineAction::Start);
    assert!(machine.note.contains("read-only"), "{}", machine.note);
    let only = std::slice::from_ref(&machine.name);
    assert_eq!((&planned.changes.restart[..], &planned.changes.converge[..]), (only, only));
}

#[test]
fn the_hosts_side_is_part_of_the_plan_where_machines_stand() {
    let mut world = World::new("dev");
    world.observed.shared.network = vec!["the table is gone".to_owned()];
    let planned = world.plan(&[]);
    assert!(
        planned.changes.network && !planned.report.empty && planned.report.question().is_none()
    );
    assert_eq!(planned.report.changes[0].diff, "- the table is gone");
    let silent = Checked::Silent { why: "no answer".to_owned(), hangs: true };
    world.observed.checks.insert("app-1".to_owned(), silent);
    // It may well be the network: nobody is restarted for that.
    assert!(world.plan(&[]).changes.restart.is_empty());
    for machine in &mut world.observed.inventory.machines {
        machine.state = MachineState::Missing;
    }
    assert!(world.plan(&[]).report.changes.iter().all(|c| c.machine != "host"));
}
