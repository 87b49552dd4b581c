//! Plans of a cluster whose members serve, are down, or are away.

use super::*;
use crate::node::Said;
use andamio_provision::{Found, Ground, Inventory};
use andamio_spec::Spec;

const PROJECT: &str = include_str!("../../../../../andamio.toml");

fn event(resource: &str, outcome: Outcome, diff: &str) -> Event {
    Event::Resource {
        v: 1,
        resource: resource.to_owned(),
        outcome,
        diff: diff.to_owned(),
        message: String::new(),
        disrupts: false,
        ms: 0,
    }
}

fn restart() -> Vec<Event> {
    vec![
        event("file:/etc/mysql/x", Outcome::Changed, "+ y"),
        event("unit:mariadb.service", Outcome::Changed, "+ restart: file:/etc/mysql/x"),
        event("probe:mariadb", Outcome::Ok, ""),
    ]
}

struct World {
    spec: Spec,
    topology: Topology,
    observed: Observed,
}

impl World {
    /// All machines run and have nothing to do.
    fn new(env: &str) -> Self {
        let spec = andamio_spec::parse("andamio.toml", PROJECT).spec.unwrap();
        let network = "198.18.7.0/24".parse().unwrap();
        let topology = andamio_spec::topology::compute(&spec, env, "local", network).unwrap();
        let found = |m: &Machine| Found {
            name: m.name.clone(),
            address: m.address,
            state: MachineState::Running,
            host_key: String::new(),
            outdated: false,
            disk_bytes: 0,
            read_only: false,
            booting: false,
            port: 22,
            user: "root".to_owned(),
        };
        let machines = topology.machines.iter().map(found).collect();
        let mut observed = Observed {
            inventory: Inventory { machines, surplus: Vec::new() },
            ground: Ground { image: true, network: Vec::new(), free_bytes: u64::MAX },
            ..Observed::default()
        };
        for machine in &topology.machines {
            observed.checks.insert(machine.name.clone(), Checked::Answered(Said::default()));
        }
        Self { spec, topology, observed }
    }

    fn says(&mut self, machine: &str, events: Vec<Event>) {
        let said = Said { events, ..Said::default() };
        self.observed.checks.insert(machine.to_owned(), Checked::Answered(said));
    }

    fn is_away(&mut self, machine: &str) {
        let found = self.observed.inventory.machines.iter_mut().find(|m| m.name == machine);
        found.unwrap().state = MachineState::Stopped;
        self.observed.checks.remove(machine);
    }

    fn judge(&self, limit: &[&str]) -> Judged {
        self.judge_with(limit, &BTreeMap::new())
    }

    fn judge_with(&self, limit: &[&str], accept: &BTreeMap<String, String>) -> Judged {
        self.judge_release(limit, accept, false)
    }

    fn judge_release(
        &self,
        limit: &[&str],
        accept: &BTreeMap<String, String>,
        release_changes: bool,
    ) -> Judged {
        let environments = &self.spec.environments;
        let limit: Vec<String> = limit.iter().map(|&name| name.to_owned()).collect();
        judge(&Input {
            topology: &self.topology,
            environment: environments.iter().find(|e| e.name == self.topology.env).unwrap(),
            observed: &self.observed,
            same_declaration: &BTreeMap::new(),
            release_changes,
            live: true,
            own_machines: true,
            accept,
            limit: &limit,
            currency: self.spec.project.currency,
            project: &self.spec.project.name,
        })
    }
}

#[test]
fn a_port_that_the_balancers_lose_is_asked_for() {
    let plan = |diff: &str| {
        let mut world = World::new("prod");
        world.says(
            "balancer-1",
            vec![event("file:/etc/haproxy/haproxy.cfg", Outcome::Changed, diff)],
        );
        world.judge(&[]).report
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
    let judged = World::new("prod").judge(&[]);
    assert!(judged.report.empty && judged.work.clusters.is_empty());
}

#[test]
fn members_that_serve_are_taken_one_by_one() {
    let mut world = World::new("prod");
    for name in ["mariadb-1", "mariadb-2", "mariadb-3"] {
        world.says(name, restart());
    }
    let work = world.judge(&[]).work;
    assert!(work.converge.iter().all(|name| work.rolling.contains(name)));
    let down = vec![
        event("unit:mariadb.service", Outcome::Changed, "- failed (failed)\n+ active"),
        event("probe:mariadb", Outcome::Failed, ""),
    ];
    world.says("mariadb-2", down);
    let never = vec![
        event("probe:mariadb", Outcome::Skipped, ""),
        event("file:/a", Outcome::Changed, "+ b"),
    ];
    world.says("mariadb-3", never);
    let work = world.judge(&[]).work;
    assert!(work.rolling.contains(&"mariadb-1".to_owned()));
    assert!(!work.rolling.iter().any(|n| n == "mariadb-2" || n == "mariadb-3"));
    assert_eq!(work.converge, ["mariadb-1", "mariadb-2", "mariadb-3"]);
}

#[test]
fn the_majority_is_not_taken_away() {
    let mut world = World::new("prod");
    world.is_away("mariadb-3");
    world.says("mariadb-1", restart());
    let judged = world.judge(&["mariadb-1"]);
    assert_eq!(judged.report.refusals[0].code, "members");
    assert!(judged.report.refusals[0].message.contains("mariadb-3 of mariadb is away"));
    // Brought back in the same plan, and before the other is touched.
    assert!(world.judge(&[]).report.refusals.is_empty());
}

#[test]
fn a_disk_grows_and_does_not_shrink() {
    let mut world = World::new("dev");
    let machine = world.topology.machine("redis-1").unwrap().clone();
    let index = world.topology.machines.iter().position(|m| m.name == machine.name).unwrap();
    world.observed.inventory.machines[index].disk_bytes = machine.disk_bytes + 1;
    let judged = world.judge(&[]);
    assert_eq!(judged.report.refusals[0].code, "disk-shrinks");
    assert_eq!(judged.report.refusals[0].rule, "environments.dev.redis.disk");
    assert!(world.judge(&["app-1"]).report.refusals.is_empty());
    // One without a disk of its own, or with a smaller one, is nothing to refuse.
    for has in [0, machine.disk_bytes - 1, machine.disk_bytes] {
        world.observed.inventory.machines[index].disk_bytes = has;
        assert!(world.judge(&[]).report.refusals.is_empty());
    }
}

#[test]
fn a_cluster_can_be_wrong_while_its_machines_are_not() {
    let mut world = World::new("prod");
    let events = vec![event("redis:cluster", Outcome::Changed, "+ a copy was planned as a master")];
    let said = Said { events, ..Said::default() };
    world.observed.clusters.push((Group::Redis, "redis-1".to_owned(), said));
    let judged = world.judge(&[]);
    assert!(!judged.report.empty && judged.work.clusters.contains(&Group::Redis));
    assert!(judged.work.converge.is_empty());
    assert!(world.judge(&["app-1"]).report.empty);
}

#[test]
fn money_is_a_refusal_that_can_be_overridden_and_a_limit_is_not() {
    let mut world = World::new("prod");
    for environment in &mut world.spec.environments {
        environment.budget = Some(500);
        environment.limits.machines = Some(14);
    }
    let codes = |judged: &Judged| -> Vec<String> {
        judged.report.refusals.iter().map(|refusal| refusal.code.clone()).collect()
    };
    let refused = world.judge(&[]);
    assert_eq!(codes(&refused), ["quota", "budget"]);
    assert_eq!(refused.report.refusals[0].rule, "environments.prod.limits.machines");
    let only_money = BTreeMap::from([("budget".to_owned(), "agreed with Marta".to_owned())]);
    let accepted = world.judge_with(&[], &only_money);
    assert_eq!(codes(&accepted), ["quota"]);
    assert_eq!(accepted.accepted[0].reason, "agreed with Marta");
    assert!(accepted.report.notes.iter().any(|note| note.contains("agreed with Marta")));
    // What was reviewed with a reason is another plan than without.
    assert_ne!(accepted.report.id, refused.report.id);
}

#[test]
fn a_release_that_all_machines_run_is_noted_and_no_other() {
    let judge = |world: &World, limit: &[&str], changes: bool| {
        world.judge_release(limit, &BTreeMap::new(), changes)
    };
    let mut world = World::new("prod");
    assert!(!judge(&world, &[], false).work.note, "it is noted already");
    let late = judge(&world, &[], true);
    assert!(late.work.note && late.report.empty && !late.work.release, "{:?}", late.work);
    assert!(late.report.notes.iter().any(|note| note.contains("already")), "{:?}", late.report);
    let quadlet = "file:/etc/containers/systemd/ficharfirm-web.container";
    world.says("app-2", vec![event(quadlet, Outcome::Changed, "+ x")]);
    assert!(judge(&world, &[], true).work.note, "app-2 is brought there");
    assert!(!judge(&world, &["app-1"], true).work.note, "app-2 stays with another");
    world.says("app-2", vec![event("file:/etc/hosts", Outcome::Changed, "+ x")]);
    assert!(judge(&world, &["app-1"], true).work.note, "it differs in something else");
    world.is_away("app-3");
    assert!(!judge(&world, &["app-1"], true).work.note, "nobody knows what app-3 runs");
}

#[test]
fn a_disk_that_became_read_only_is_a_restart() {
    let mut world = World::new("dev");
    world.observed.inventory.machines[0].read_only = true;
    let judged = world.judge(&[]);
    let machine = &judged.report.machines[0];
    assert_eq!(machine.action, MachineAction::Start);
    assert!(machine.note.contains("read-only"), "{}", machine.note);
    let only = std::slice::from_ref(&machine.name);
    assert_eq!((&judged.work.restart[..], &judged.work.converge[..]), (only, only));
}

#[test]
fn the_hosts_side_is_part_of_the_plan_where_machines_stand() {
    let mut world = World::new("dev");
    world.observed.ground.network = vec!["the table is gone".to_owned()];
    let judged = world.judge(&[]);
    assert!(judged.work.network && !judged.report.empty && judged.report.question().is_none());
    assert_eq!(judged.report.changes[0].diff, "- the table is gone");
    let silent = Checked::Silent { why: "no answer".to_owned(), hangs: true };
    world.observed.checks.insert("app-1".to_owned(), silent);
    // It may well be the network: nobody is restarted for that.
    assert!(world.judge(&[]).work.restart.is_empty());
    for machine in &mut world.observed.inventory.machines {
        machine.state = MachineState::Missing;
    }
    assert!(world.judge(&[]).report.changes.iter().all(|c| c.machine != "host"));
}
