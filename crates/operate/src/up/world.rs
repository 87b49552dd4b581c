//! An environment of ficharfirm as the planner sees it, for tests.

use super::observed::{Checked, Observed};
use super::planner::{Input, Plan, plan};
use crate::node::NodeReport;
use andamio_converge::{Inputs, parts};
use andamio_manifest::{Event, Outcome};
use andamio_provision::{Found, Inventory, MachineState, SharedResources};
use andamio_spec::topology::Machine;
use andamio_spec::{Environment, Group, Spec, Topology};
use std::collections::BTreeMap;

pub(super) const PROJECT: &str = include_str!("../../../../andamio.toml");

pub(super) fn event(resource: &str, outcome: Outcome, diff: &str) -> Event {
    Event::Resource {
        v: 1,
        resource: resource.to_owned(),
        outcome,
        diff: diff.to_owned(),
        message: String::new(),
        cause: None,
        disrupts: false,
        down: false,
        confirm: None,
        ms: 0,
    }
}

pub(super) fn restart() -> Vec<Event> {
    vec![
        event("file:/etc/mysql/x", Outcome::Changed, "+ y"),
        event("unit:mariadb.service", Outcome::Changed, "+ restart: file:/etc/mysql/x"),
        event("probe:mariadb", Outcome::Ok, ""),
    ]
}

pub(super) struct World {
    pub(super) spec: Spec,
    pub(super) topology: Topology,
    pub(super) observed: Observed,
}

impl World {
    /// All machines run and have nothing to do.
    pub(super) fn new(env: &str) -> Self {
        Self::of(andamio_spec::parse("andamio.toml", PROJECT).spec.unwrap(), env)
    }

    /// The same of a changed file.
    pub(super) fn of(spec: Spec, env: &str) -> Self {
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
            shared: SharedResources { image: true, network: Vec::new(), free_bytes: u64::MAX },
            ..Observed::default()
        };
        for machine in &topology.machines {
            observed.checks.insert(machine.name.clone(), Checked::Answered(NodeReport::default()));
        }
        Self { spec, topology, observed }
    }

    pub(super) fn says(&mut self, machine: &str, events: Vec<Event>) {
        let said = NodeReport { events, ..NodeReport::default() };
        self.observed.checks.insert(machine.to_owned(), Checked::Answered(said));
    }

    pub(super) fn is_away(&mut self, machine: &str) {
        self.is_gone(machine, MachineState::Stopped);
    }

    pub(super) fn is_gone(&mut self, machine: &str, state: MachineState) {
        let found = self.observed.inventory.machines.iter_mut().find(|m| m.name == machine);
        found.unwrap().state = state;
        self.observed.checks.remove(machine);
    }

    /// Groups whose cluster is something of its own.
    pub(super) fn clusters(&self) -> Vec<Group> {
        let inputs = Inputs {
            spec: &self.spec,
            topology: &self.topology,
            environment: self.environment(),
            secrets: &BTreeMap::new(),
            release: None,
            operator_keys: &[],
            resolver: None,
            agent: "0011223344556677",
            generation: 0,
        };
        parts(&inputs).into_iter().map(|part| part.group).collect()
    }

    fn environment(&self) -> &Environment {
        self.spec.environments.iter().find(|e| e.name == self.topology.env).unwrap()
    }

    pub(super) fn plan(&self, limit: &[&str]) -> Plan {
        self.plan_with(limit, &BTreeMap::new())
    }

    pub(super) fn plan_with(&self, limit: &[&str], accept: &BTreeMap<String, String>) -> Plan {
        self.plan_release(limit, accept, false)
    }

    pub(super) fn plan_release(
        &self,
        limit: &[&str],
        accept: &BTreeMap<String, String>,
        release_changes: bool,
    ) -> Plan {
        let limit: Vec<String> = limit.iter().map(|&name| name.to_owned()).collect();
        plan(&Input {
            topology: &self.topology,
            environment: self.environment(),
            observed: &self.observed,
            same_declaration: &BTreeMap::new(),
            release_changes,
            has_application: true,
            live: true,
            own_machines: true,
            accept,
            limit: &limit,
            currency: self.spec.project.currency,
            project: &self.spec.project.name,
        })
    }
}
