//! What a plan has to contain, from the same topology that everything else comes from.

use andamio_provision::terraform::network;
use andamio_spec::price::{MACHINE_TYPES, machine_type};
use andamio_spec::topology::{Machine, Peer, Protocol, Topology, compute};
use andamio_spec::{Group, Spec};
use serde_json::Value;
use std::collections::BTreeSet;

/// A planned machine.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) name: String,
    address: String,
    kind: String,
}

pub(crate) fn machines(plan: &Value) -> Vec<Planned> {
    let one = |resource: &Value| {
        let values = &resource["values"];
        Planned {
            name: text(&resource["index"]),
            address: text(&values["interface"][0]["ipv4"][0]["vpc"]),
            kind: text(&values["type"]),
        }
    };
    of_type(plan, "linode_instance").iter().map(|r| one(r)).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Every planned resource of a type, whichever module it is in.
fn of_type<'p>(plan: &'p Value, kind: &str) -> Vec<&'p Value> {
    fn walk<'p>(module: &'p Value, found: &mut Vec<&'p Value>) {
        found.extend(module["resources"].as_array().into_iter().flatten());
        for child in module["child_modules"].as_array().into_iter().flatten() {
            walk(child, found);
        }
    }
    let mut found = Vec::new();
    walk(&plan["planned_values"]["root_module"], &mut found);
    found.retain(|resource| resource["type"] == kind && resource["mode"] == "managed");
    found
}

pub(crate) fn plan(spec: &Spec, env: &str, plan: &Value) {
    let topology = compute(spec, env, "linode", network(&spec.project.name, env)).unwrap();
    the_machines(&topology, plan);
    closed_by_default(&topology, plan);
    flows(&topology, plan);
    the_rest(spec, &topology, plan);
}

fn the_machines(topology: &Topology, plan: &Value) {
    let planned = machines(plan);
    assert_eq!(planned.len(), topology.machines.len(), "{planned:#?}");
    for machine in &topology.machines {
        let found = planned.iter().find(|p| p.name == machine.name);
        let found = found.unwrap_or_else(|| panic!("{} is not planned", machine.name));
        assert_eq!(found.address, machine.address.to_string(), "{}", machine.name);
        // Never less than what was asked for.
        assert_eq!(
            found.kind,
            machine_type(MACHINE_TYPES, machine.size, 0).unwrap().id,
            "{}",
            machine.name
        );
    }
    for resource in of_type(plan, "linode_instance") {
        let values = &resource["values"];
        assert_eq!(values["disk_encryption"], "enabled", "{values}");
        assert_eq!(values["interface"].as_array().unwrap().len(), 1, "one network: {values}");
        assert_eq!(values["interface"][0]["purpose"], "vpc", "{values}");
        assert!(values["authorized_keys"].as_array().is_some_and(|k| !k.is_empty()), "{values}");
    }
    let volumes = of_type(plan, "linode_volume");
    assert!(volumes.iter().all(|v| v["values"]["encryption"] == "enabled"), "{volumes:?}");
}

fn closed_by_default(topology: &Topology, plan: &Value) {
    let firewalls = of_type(plan, "linode_firewall");
    let groups: BTreeSet<Group> = topology.machines.iter().map(|m| m.group).collect();
    let entry = usize::from(groups.contains(&Group::Balancer));
    assert_eq!(firewalls.len(), groups.len() + entry);
    for firewall in firewalls {
        let values = &firewall["values"];
        assert_eq!(values["inbound_policy"], "DROP", "{values}");
        assert_eq!(values["outbound_policy"], "DROP", "{values}");
    }
}

/// What an inbound rule of a group lets through.
struct Rule {
    ports: BTreeSet<u16>,
    from: Vec<String>,
}

fn inbound(plan: &Value, group: Group) -> Vec<Rule> {
    let firewalls = of_type(plan, "linode_firewall");
    let firewall = firewalls.iter().find(|f| f["index"] == group.as_str()).expect("a firewall");
    let rules = firewall["values"]["inbound"].as_array().unwrap();
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(text).collect()
    };
    rules
        .iter()
        .map(|rule| {
            assert_eq!(rule["action"], "ACCEPT");
            assert_eq!(rule["protocol"], "TCP", "no service here speaks UDP: {rule}");
            let ports = text(&rule["ports"]);
            Rule {
                ports: ports.split(',').map(|p| p.parse().unwrap()).collect(),
                from: list(&rule["ipv4"]),
            }
        })
        .collect()
}

/// Each pair of machines and each port: open where the table has it, closed where it has not.
fn flows(topology: &Topology, plan: &Value) {
    let balanced = topology.group(Group::Balancer).next().is_some();
    let all: BTreeSet<u16> =
        topology.flows.iter().map(|flow| flow.port).chain([25, 3389]).collect();
    let bastion = topology.with_role(andamio_spec::topology::Role::Ops).next().unwrap();
    for to in &topology.machines {
        let rules = inbound(plan, to.group);
        let open = |from: &str, port: u16| {
            rules.iter().any(|r| r.ports.contains(&port) && r.from.iter().any(|f| f == from))
        };
        for port in &all {
            for from in topology.machines.iter().filter(|from| from.name != to.name) {
                let wanted = in_table(topology, from, to, *port)
                    || (*port == 22 && from.name == bastion.name);
                let is = open(&format!("{}/32", from.address), *port);
                assert_eq!(is, wanted, "{} → {}:{port}", from.name, to.name);
            }
            let world = topology
                .flows
                .iter()
                .any(|flow| flow.from == Peer::World && flow.to == to.name && flow.port == *port);
            assert_eq!(open("0.0.0.0/0", *port), world && !balanced, "world → {}:{port}", to.name);
        }
    }
}

fn in_table(topology: &Topology, from: &Machine, to: &Machine, port: u16) -> bool {
    topology.flows.iter().any(|flow| {
        flow.from == Peer::Machine(from.name.clone())
            && flow.to == to.name
            && flow.port == port
            && flow.protocol == Protocol::Tcp
    })
}

fn the_rest(spec: &Spec, topology: &Topology, plan: &Value) {
    let count = |kind: &str| of_type(plan, kind).len();
    let balancers = topology.group(Group::Balancer).count();
    assert_eq!(count("linode_nodebalancer"), usize::from(balancers > 0));
    let ports = topology.flows.iter().filter(|f| f.from == Peer::World).map(|f| f.port);
    let ports = if balancers == 0 { 0 } else { ports.collect::<BTreeSet<_>>().len() };
    assert_eq!(count("linode_nodebalancer_config"), ports);
    assert_eq!(count("linode_nodebalancer_node"), ports * balancers);
    for config in of_type(plan, "linode_nodebalancer_config") {
        let values = &config["values"];
        assert_eq!((&values["protocol"], &values["proxy_protocol"]), (&"tcp".into(), &"v2".into()));
        assert_eq!(values["check"], "connection");
    }
    let environment = spec.environments.iter().find(|e| e.name == topology.env).unwrap();
    let volumes: u64 = topology
        .group(Group::Mariadb)
        .filter(|m| andamio_spec::price::volume_gb(m.group, m.layout, m.disk_bytes) > 0)
        .count() as u64;
    assert_eq!(count("linode_volume") as u64, volumes);
    assert_eq!(count("linode_object_storage_bucket"), 1);
    // One that writes backups, and one that only reads them.
    let keys = of_type(plan, "linode_object_storage_key");
    let may: BTreeSet<String> =
        keys.iter().map(|k| text(&k["values"]["bucket_access"][0]["permissions"])).collect();
    assert_eq!(may, BTreeSet::from(["read_only".to_owned(), "read_write".to_owned()]));
    let backed_up = of_type(plan, "linode_instance");
    let backed_up = backed_up.iter().filter(|m| m["values"]["backups_enabled"] == true).count();
    let ops = environment.groups.get(&Group::Ops).map_or(0, |group| group.machines as usize);
    assert_eq!(backed_up, ops);
}
