//! An environment at a place as machines, roles, addresses and flows. Firewall rules, host lists,
//! backends and the map derive from it.

mod address;
mod budgets;
mod entry;
mod flows;
mod network;
pub mod ports;
mod types;

pub use address::{FLOATING, address_range};
pub use network::NetworkError;
pub use types::*;

use crate::model::{Environment, Group, GroupSpec, Host, Layout, Place, Process, Spec};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    #[error("no environment `{0}`")]
    UnknownEnvironment(String),
    #[error("no place `{0}`")]
    UnknownPlace(String),
    #[error("{group} has addresses for {most} machines, not {machines}")]
    TooManyMachines { group: Group, machines: u32, most: u32 },
    #[error("`{place}` has {there} machines for {group}, and {machines} are needed")]
    NotEnoughHosts { place: String, group: Group, there: usize, machines: u32 },
    #[error("`{address}` is needed for {first} and for {second}; a machine carries one service")]
    SharedHost { address: String, first: Group, second: Group },
    #[error("`{0}` is not an IPv4 address")]
    Address(String),
}

impl TopologyError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::UnknownEnvironment(_) => "`andamio check` lists the environments",
            Self::UnknownPlace(_) => "use local, linode or a place that andamio.toml declares",
            Self::TooManyMachines { .. } => "declare fewer machines",
            Self::NotEnoughHosts { .. } | Self::SharedHost { .. } => {
                "add machines to the place, each with its group"
            }
            Self::Address(_) => "write the machine's address as four numbers",
        }
    }
}

/// Computes the environment `env` as it is at `place`, with the number of machines that the file
/// declares. `network` is where its addresses are; at a place of kind `hosts` the machines keep
/// their own, and only the floating address comes from it.
///
/// # Errors
/// A name is unknown, or the place cannot hold the environment.
pub fn compute(
    spec: &Spec,
    env: &str,
    place: &str,
    network: Network,
) -> Result<Topology, TopologyError> {
    let environment = find(spec, env)?;
    compute_with(spec, env, place, network, &crate::limits::counts(environment))
}

/// Like [`compute`], with another number of machines in some groups: what scaling has made of it.
/// The addresses of machines that stay do not change.
///
/// # Errors
/// As [`compute`].
pub fn compute_with(
    spec: &Spec,
    env: &str,
    place: &str,
    network: Network,
    counts: &BTreeMap<Group, u32>,
) -> Result<Topology, TopologyError> {
    let environment = find(spec, env)?;
    let mut hosts = match spec.places.get(place) {
        Some(Place::Hosts { machines, .. }) => {
            Some(Hosts { place, machines, taken: BTreeMap::new() })
        }
        Some(Place::Local | Place::Linode { .. }) => None,
        None => return Err(TopologyError::UnknownPlace(place.to_owned())),
    };
    // Without machines of their own, the first app machine carries the ops roles.
    let ops_on_app = !environment.groups.contains_key(&Group::Ops);
    let mut machines = Vec::new();
    for (group, declared) in &environment.groups {
        let count = counts.get(group).copied().unwrap_or(declared.machines);
        let most = crate::defaults::most_machines(*group);
        if count > most {
            return Err(TopologyError::TooManyMachines { group: *group, machines: count, most });
        }
        for index in 1..=count {
            let address = match &mut hosts {
                Some(hosts) => hosts.take(*group, index, count)?,
                None => address::of(network, *group, index),
            };
            machines.push(machine(*group, index, address, declared, ops_on_app));
        }
    }
    let public = public_process(spec);
    let mut topology = Topology {
        project: spec.project.name.clone(),
        env: environment.name.clone(),
        place: place.to_owned(),
        network,
        machines,
        flows: Vec::new(),
        budgets: Vec::new(),
        entry: Entry::Plain,
        url: String::new(),
    };
    let ssh = match spec.places.get(place) {
        Some(Place::Hosts { port, .. }) => *port,
        _ => ports::SSH,
    };
    topology.entry = entry::of(spec, environment, &topology);
    topology.flows = flows::compute(&topology, public, ssh);
    topology.budgets = budgets::compute(&topology);
    topology.url = entry::url(&topology, public);
    Ok(topology)
}

fn find<'s>(spec: &'s Spec, env: &str) -> Result<&'s Environment, TopologyError> {
    spec.environments
        .iter()
        .find(|known| known.name == env)
        .ok_or_else(|| TopologyError::UnknownEnvironment(env.to_owned()))
}

fn machine(
    group: Group,
    index: u32,
    address: Ipv4Addr,
    declared: &GroupSpec,
    ops_on_app: bool,
) -> Machine {
    let mut roles = vec![Role::Base, group.role()];
    if ops_on_app && group == Group::App && index == 1 {
        roles.push(Role::Ops);
    }
    Machine {
        name: format!("{group}-{index}"),
        group,
        index,
        address,
        size: declared.size,
        disk_bytes: declared.disk_bytes,
        layout: declared.layout,
        roles,
    }
}

/// Servers that exist already, given out in the order of the file.
struct Hosts<'s> {
    place: &'s str,
    machines: &'s [Host],
    taken: BTreeMap<&'s str, Group>,
}

impl Hosts<'_> {
    fn take(&mut self, group: Group, index: u32, count: u32) -> Result<Ipv4Addr, TopologyError> {
        let mut fitting = self.machines.iter().filter(|host| host.groups.contains(&group));
        let there = fitting.clone().count();
        let nth = usize::try_from(index).unwrap_or(usize::MAX).saturating_sub(1);
        let host = fitting.nth(nth).ok_or_else(|| TopologyError::NotEnoughHosts {
            place: self.place.to_owned(),
            group,
            there,
            machines: count,
        })?;
        if let Some(first) = self.taken.insert(&host.address, group) {
            let address = host.address.clone();
            return Err(TopologyError::SharedHost { address, first, second: group });
        }
        host.address.parse().map_err(|_| TopologyError::Address(host.address.clone()))
    }
}

/// The process that people reach: `web` when it listens, else the first by name that does.
#[must_use]
pub fn public_process(spec: &Spec) -> Option<(&str, &Process)> {
    let listening = || spec.app.processes.iter().filter(|(_, process)| process.port.is_some());
    listening()
        .find(|(name, _)| *name == "web")
        .or_else(|| listening().next())
        .map(|(name, process)| (name.as_str(), process))
}

impl Topology {
    /// The address that moves between two balancers.
    #[must_use]
    pub fn floating_address(&self) -> Option<Ipv4Addr> {
        self.group(Group::Balancer)
            .any(|machine| machine.layout == Layout::Floating)
            .then(|| self.network.host(FLOATING))
    }

    /// Where requests enter: the floating address, or the balancer's own; none without a balancer.
    #[must_use]
    pub fn entry_address(&self) -> Option<Ipv4Addr> {
        self.floating_address()
            .or_else(|| self.group(Group::Balancer).next().map(|machine| machine.address))
    }

    #[must_use]
    pub fn budget(&self, group: Group) -> Option<&DisruptionBudget> {
        self.budgets.iter().find(|budget| budget.group == group)
    }
}
