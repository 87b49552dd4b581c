//! The three environments of the document, whole (E1, E2, E3, S1, K5, W2, C1).

use crate::common::{ficharfirm, network, peer, spec, topology};
use andamio_spec::topology::{Network, Topology, TopologyError, compute, compute_with};
use andamio_spec::{
    Environment, Group, Host, Place, Spec, check_limits, cost, counts, storage_bytes, units,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

fn environment<'s>(spec: &'s Spec, name: &str) -> &'s Environment {
    spec.environments.iter().find(|env| env.name == name).expect("an environment")
}

/// Everything that the topology says, as tables. Flows with the same target, port and service share
/// a line.
fn render(spec: &Spec, topology: &Topology) -> String {
    let mut out = format!("{} on {}\n{}\n\n", topology.instance(), topology.network, topology.url);
    for machine in &topology.machines {
        let roles: Vec<&str> = machine.roles.iter().map(|role| role.as_str()).collect();
        writeln!(
            out,
            "{:<11} {:<13} {:<4} {:>5}  {:<9} {}",
            machine.name,
            machine.address,
            machine.size,
            units::format_bytes(machine.disk_bytes),
            machine.layout,
            roles.join(" ")
        )
        .unwrap();
    }
    out.push_str("\nflows\n");
    let mut lines: BTreeMap<(String, u16, String, String), Vec<&str>> = BTreeMap::new();
    for flow in &topology.flows {
        let protocol = format!("{:?}", flow.protocol).to_lowercase();
        let key = (flow.to.clone(), flow.port, protocol, flow.service.clone());
        lines.entry(key).or_default().push(peer(&flow.from));
    }
    for ((to, port, protocol, service), from) in lines {
        let target = format!("{to}:{port}/{protocol}");
        writeln!(out, "{target:<22} {service:<16} from {}", from.join(" ")).unwrap();
    }
    out.push_str("\nmay be away\n");
    for budget in &topology.budgets {
        writeln!(
            out,
            "{:<9} {} of {}  {}",
            budget.group, budget.max_unavailable, budget.machines, budget.reason
        )
        .unwrap();
    }
    let env = environment(spec, &topology.env);
    let bytes = units::format_bytes(storage_bytes(env, &counts(env)));
    writeln!(out, "\nwindow {}\nlimits {:?}\ndisks {bytes}", env.window, env.limits).unwrap();
    let cost = cost(spec, &topology.env).unwrap();
    for item in &cost.items {
        writeln!(out, "{:<15} {:<14} {} {:>8.2}", item.name, item.kind, item.count, item.month)
            .unwrap();
    }
    writeln!(
        out,
        "{:.2} {} a month, {:.2} at most; budget {:?}",
        cost.total_month, cost.currency, cost.max_month, cost.budget
    )
    .unwrap();
    out
}

#[test]
fn dev() {
    let spec = ficharfirm();
    let topology = topology(&spec, "dev");
    assert_eq!(topology.machines.len(), 4);
    insta::assert_snapshot!(render(&spec, &topology));
}

#[test]
fn staging() {
    let spec = ficharfirm();
    let topology = topology(&spec, "staging");
    assert_eq!(topology.machines.len(), 10);
    insta::assert_snapshot!(render(&spec, &topology));
}

#[test]
fn prod() {
    let spec = ficharfirm();
    let topology = topology(&spec, "prod");
    assert_eq!(topology.machines.len(), 15);
    insta::assert_snapshot!(render(&spec, &topology));
}

#[test]
fn no_two_machines_share_an_address_or_a_name() {
    let spec = ficharfirm();
    for env in ["dev", "staging", "prod"] {
        let topology = topology(&spec, env);
        let mut addresses: BTreeSet<_> = topology.machines.iter().map(|m| m.address).collect();
        addresses.extend(topology.floating_address());
        addresses.insert(topology.network.gateway());
        let floating = usize::from(topology.floating_address().is_some());
        assert_eq!(addresses.len(), topology.machines.len() + 1 + floating);
        let names: BTreeSet<_> = topology.machines.iter().map(|m| &m.name).collect();
        assert_eq!(names.len(), topology.machines.len());
    }
}

#[test]
fn flows_join_machines_that_exist_and_never_a_machine_with_itself() {
    let spec = ficharfirm();
    for env in ["dev", "staging", "prod"] {
        let topology = topology(&spec, env);
        for flow in &topology.flows {
            assert!(topology.machine(&flow.to).is_some(), "{flow:?}");
            if let andamio_spec::topology::Peer::Machine(from) = &flow.from {
                assert!(topology.machine(from).is_some() && *from != flow.to, "{flow:?}");
            }
        }
    }
}

#[test]
fn growing_moves_no_other_machine() {
    let spec = ficharfirm();
    let before = topology(&spec, "prod");
    let counts = BTreeMap::from([(Group::App, 6)]);
    let after = compute_with(&spec, "prod", "local", network(), &counts).unwrap();
    assert_eq!(after.machines.len(), 18);
    for machine in &before.machines {
        assert_eq!(after.machine(&machine.name), Some(machine));
    }
}

#[test]
fn every_group_fits_its_addresses_and_no_more() {
    let spec = ficharfirm();
    for group in Group::ALL {
        let most = andamio_spec::defaults::most_machines(group);
        let with = |machines| {
            let counts = BTreeMap::from([(group, machines)]);
            compute_with(&spec, "prod", "local", network(), &counts)
        };
        assert_eq!(with(most).unwrap().group(group).count(), most as usize);
        assert!(matches!(with(most + 1), Err(TopologyError::TooManyMachines { .. })));
    }
}

#[test]
fn unknown_names_are_errors() {
    let spec = ficharfirm();
    let env = compute(&spec, "production", "local", network());
    assert_eq!(env, Err(TopologyError::UnknownEnvironment("production".to_owned())));
    let place = compute(&spec, "prod", "moon", network());
    assert_eq!(place, Err(TopologyError::UnknownPlace("moon".to_owned())));
}

const RACK: &str = r#"
[project]
name = "shop"
[app]
source = "."
[app.processes]
web = { command = ["web"], port = 3000 }
[environments.prod]
on = "rack"
app = { machines = 2 }
mariadb = {}
[places.rack]
kind = "hosts"
machines = [
  { address = "10.0.0.12", groups = ["app"] },
  { address = "10.0.0.11", groups = ["app", "ops"] },
  { address = "10.0.0.13", groups = ["mariadb"] },
]
"#;

#[test]
fn servers_that_exist_already_keep_their_addresses() {
    let topology = compute(&spec(RACK), "prod", "rack", network()).unwrap();
    let addresses: Vec<String> =
        topology.machines.iter().map(|m| format!("{} {}", m.name, m.address)).collect();
    assert_eq!(addresses, ["mariadb-1 10.0.0.13", "app-1 10.0.0.12", "app-2 10.0.0.11"]);
    assert_eq!(topology.url, "http://10.0.0.12:3000");
}

#[test]
fn servers_say_how_to_log_in() {
    let text = RACK
        .replace("kind = \"hosts\"", "kind = \"hosts\"\nuser = \"debian\"\nport = 2222")
        .replace(
            "groups = [\"mariadb\"]",
            "groups = [\"mariadb\"], host_key = \"ssh-ed25519 AAAAC3Nza\"",
        );
    let spec = spec(&text);
    let Some(Place::Hosts { machines, user, port }) = spec.places.get("rack") else {
        panic!("{:?}", spec.places)
    };
    assert_eq!((user.as_str(), *port), ("debian", 2222));
    assert_eq!(machines[2].host_key.as_deref(), Some("ssh-ed25519 AAAAC3Nza"));
    let topology = compute(&spec, "prod", "rack", network()).unwrap();
    let ssh = topology.flows.iter().filter(|flow| flow.service == "ssh");
    assert!(ssh.clone().all(|flow| flow.port == 2222) && ssh.count() == 3);
    for wrong in ["user = \"\"", "user = \"-o\"", "port = 0", "port = 70000"] {
        let text = RACK.replace("kind = \"hosts\"", &format!("kind = \"hosts\"\n{wrong}"));
        let findings = andamio_spec::parse("andamio.toml", &text).findings;
        assert!(findings.iter().any(andamio_spec::Finding::is_error), "{wrong}");
    }
}

#[test]
fn a_server_carries_one_service() {
    let rack = spec(RACK);
    let mut shared = rack.clone();
    let machines = vec![
        Host {
            address: "10.0.0.11".to_owned(),
            groups: vec![Group::App, Group::Mariadb],
            host_key: None,
        },
        Host { address: "10.0.0.12".to_owned(), groups: vec![Group::App], host_key: None },
    ];
    shared
        .places
        .insert("rack".to_owned(), Place::Hosts { machines, user: "root".to_owned(), port: 22 });
    let error = compute(&shared, "prod", "rack", network()).unwrap_err();
    assert!(matches!(error, TopologyError::SharedHost { .. }), "{error}");
}

#[test]
fn limits_refuse_what_scaling_may_not_do() {
    let spec = ficharfirm();
    let env = environment(&spec, "prod");
    assert_eq!(check_limits(env, &counts(env)), []);
    let mut planned = counts(env);
    planned.insert(Group::App, 6);
    assert_eq!(check_limits(env, &planned), []);
    planned.insert(Group::App, 13);
    let refusals = check_limits(env, &planned);
    assert_eq!(refusals.len(), 2, "above max, and above the limit of machines: {refusals:#?}");
    assert!(refusals.iter().all(|refusal| refusal.code == "quota"));
    let rules: Vec<&str> = refusals.iter().map(|refusal| refusal.rule.as_str()).collect();
    assert_eq!(rules, ["environments.prod.app.max", "environments.prod.limits.machines"]);
}

#[test]
fn networks_are_read_strictly() {
    assert!("198.19.255.0/24".parse::<Network>().is_ok());
    for wrong in
        ["198.18.3.1/24", "198.20.0.0/24", "198.18.0.0/15", "10.0.0.0/24", "198.18.3.0", ""]
    {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
}
