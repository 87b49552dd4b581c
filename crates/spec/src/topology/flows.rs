//! Who may talk to whom. Complete and minimal: what is not here is closed.

use super::{Flow, Peer, Protocol, Role, Topology, ports};
use crate::model::{Layout, Process};

/// Sorted, each flow once.
pub(super) fn compute(
    topology: &Topology,
    public: Option<(&str, &Process)>,
    ssh: u16,
) -> Vec<Flow> {
    let mut flows = Flows { topology, flows: Vec::new() };
    for machine in &topology.machines {
        flows.open(Peer::Operator, &machine.name, ssh, "ssh");
    }
    entry(&mut flows, public.and_then(|(_, process)| process.port));
    mariadb(&mut flows);
    redis(&mut flows);
    rabbitmq(&mut flows);
    let mut flows = flows.flows;
    flows.sort();
    flows.dedup();
    flows
}

struct Flows<'t> {
    topology: &'t Topology,
    flows: Vec<Flow>,
}

impl Flows<'_> {
    fn open(&mut self, from: Peer, to: &str, port: u16, service: &str) {
        self.push(from, to, Protocol::Tcp, port, service);
    }

    fn push(&mut self, from: Peer, to: &str, protocol: Protocol, port: u16, service: &str) {
        let (to, service) = (to.to_owned(), service.to_owned());
        self.flows.push(Flow { from, to, protocol, port, service });
    }

    fn names(&self, role: Role) -> Vec<String> {
        self.topology.with_role(role).map(|machine| machine.name.clone()).collect()
    }

    /// Every machine of one role to every machine of another.
    fn between(&mut self, from: Role, to: Role, port: u16, service: &str) {
        for from in self.names(from) {
            for to in self.names(to) {
                self.open(Peer::Machine(from.clone()), &to, port, service);
            }
        }
    }

    /// Every machine of the role to every other one of it.
    fn among(&mut self, role: Role, protocol: Protocol, port: u16, service: &str) {
        let names = self.names(role);
        for from in &names {
            for to in names.iter().filter(|to| *to != from) {
                self.push(Peer::Machine(from.clone()), to, protocol, port, service);
            }
        }
    }
}

/// How requests come in.
fn entry(flows: &mut Flows<'_>, port: Option<u16>) {
    let encrypted = flows.topology.entry.is_encrypted();
    let balancers = flows.names(Role::Balancer);
    for balancer in &balancers {
        // With TLS the plain port stays open to send people on, and for certificate challenges.
        flows.open(Peer::World, balancer, ports::HTTP, "http");
        if encrypted {
            flows.open(Peer::World, balancer, ports::HTTPS, "https");
        }
    }
    if flows.topology.floating_address().is_some() {
        flows.among(Role::Balancer, Protocol::Vrrp, 0, "vrrp");
    }
    let Some(port) = port else { return };
    if balancers.is_empty() {
        for app in flows.names(Role::App) {
            flows.open(Peer::World, &app, port, "http");
        }
    } else if encrypted {
        flows.between(Role::Balancer, Role::App, ports::APP_TLS, "https");
    } else {
        flows.between(Role::Balancer, Role::App, port, "http");
    }
}

fn mariadb(flows: &mut Flows<'_>) {
    flows.between(Role::App, Role::Mariadb, ports::MARIADB, "mariadb");
    let layout = flows.topology.with_role(Role::Mariadb).map(|machine| machine.layout).next();
    if flows.topology.is_database_proxied() {
        flows.between(Role::App, Role::Mariadb, ports::MARIADB_HEALTH, "mariadb-health");
    }
    match layout {
        // Both ways: a promotion turns the direction of replication.
        Some(Layout::Replica) => {
            flows.among(Role::Mariadb, Protocol::Tcp, ports::MARIADB, "mariadb");
            flows.among(Role::Mariadb, Protocol::Tcp, ports::MARIADB_COPY, "mariadb-copy");
        }
        Some(Layout::Galera) => {
            flows.among(Role::Mariadb, Protocol::Tcp, ports::GALERA, "galera");
            flows.among(Role::Mariadb, Protocol::Tcp, ports::GALERA_IST, "galera-ist");
            flows.among(Role::Mariadb, Protocol::Tcp, ports::GALERA_SST, "galera-sst");
        }
        _ => {}
    }
}

fn redis(flows: &mut Flows<'_>) {
    for port in ports::redis(flows.names(Role::Redis).len()) {
        flows.between(Role::App, Role::Redis, port, "redis");
        // Replicas read from their master's port; the bus carries votes and gossip.
        flows.among(Role::Redis, Protocol::Tcp, port, "redis");
        flows.among(Role::Redis, Protocol::Tcp, port + ports::REDIS_BUS_OFFSET, "redis-bus");
    }
}

fn rabbitmq(flows: &mut Flows<'_>) {
    flows.between(Role::App, Role::Rabbitmq, ports::AMQPS, "amqps");
    flows.among(Role::Rabbitmq, Protocol::Tcp, ports::RABBITMQ_CLUSTER, "rabbitmq-cluster");
}
