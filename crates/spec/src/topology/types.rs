//! The shape of an environment: machines, roles, addresses and flows. Nothing else knows an address.

use crate::model::{Group, Layout, Size};
use serde::Serialize;
use std::net::Ipv4Addr;

/// An environment at a place, computed from the spec. Pure data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Topology {
    pub project: String,
    pub env: String,
    pub place: String,
    pub network: Network,
    pub machines: Vec<Machine>,
    pub flows: Vec<Flow>,
    pub budgets: Vec<DisruptionBudget>,
    /// How they come in.
    pub entry: Entry,
    /// Where people reach the application, for example `http://198.18.3.10:8080`.
    pub url: String,
}

/// What the balancers speak to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// Plain HTTP; also without a balancer, because nothing ends TLS there.
    Plain,
    /// HTTPS with a certificate of the instance's own authority. Nobody trusts that by himself, so that
    /// plain HTTP is served beside it.
    Own,
    /// HTTPS with a certificate that the balancers get from an authority, for this name. Once it is
    /// there, plain HTTP only sends people on.
    Acme { domain: String },
}

impl Entry {
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        *self != Self::Plain
    }
}

/// A /24: the three leading octets. `.1` is the host's side of the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Network {
    pub base: Ipv4Addr,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    /// `GROUP-N`.
    pub name: String,
    pub group: Group,
    /// From 1.
    pub index: u32,
    pub address: Ipv4Addr,
    pub size: Size,
    /// File system, in bytes.
    pub disk_bytes: u64,
    pub layout: Layout,
    /// Roles in the order in which they are converged; `base` first.
    pub roles: Vec<Role>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Base,
    Mariadb,
    Redis,
    Rabbitmq,
    App,
    Balancer,
    Ops,
}

/// Who opens a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Peer {
    /// The host that runs Andamio (local), or the bastion.
    Operator,
    /// Anyone.
    World,
    Machine(String),
}

/// One permitted direction: `from` may open `port` on `to`. Whatever is not here is closed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Flow {
    pub from: Peer,
    /// Machine name.
    pub to: String,
    pub protocol: Protocol,
    pub port: u16,
    /// What speaks there: `ssh`, `mariadb`, `galera`, `redis`, `redis-bus`, `amqps`, `http`, …
    pub service: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    /// VRRP between balancers; the port is 0.
    Vrrp,
}

/// How many machines of a group may be away at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DisruptionBudget {
    pub group: Group,
    pub machines: u32,
    /// 0 when the loss of one is already an outage.
    pub max_unavailable: u32,
    /// One line for `plan`, for example: two nodes have no majority.
    pub reason: String,
}

impl Topology {
    /// `env@place`.
    #[must_use]
    pub fn instance(&self) -> String {
        format!("{}@{}", self.env, self.place)
    }

    #[must_use]
    pub fn machine(&self, name: &str) -> Option<&Machine> {
        self.machines.iter().find(|m| m.name == name)
    }

    pub fn group(&self, group: Group) -> impl Iterator<Item = &Machine> {
        self.machines.iter().filter(move |m| m.group == group)
    }

    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Machine> {
        self.machines.iter().filter(move |m| m.roles.contains(&role))
    }

    /// The machine that builds the application's image: the operations machine, else the first of the application's.
    #[must_use]
    pub fn builder(&self) -> Option<&Machine> {
        self.with_role(Role::Ops).chain(self.with_role(Role::App)).next()
    }

    /// Which of several database servers takes writes changes; a proxy on the application's machines knows.
    #[must_use]
    pub fn is_database_proxied(&self) -> bool {
        let layout = self.with_role(Role::Mariadb).map(|machine| machine.layout).next();
        matches!(layout, Some(Layout::Galera | Layout::Replica))
    }

    /// Flows that end on this machine.
    pub fn flows_to<'a>(&'a self, machine: &'a str) -> impl Iterator<Item = &'a Flow> {
        self.flows.iter().filter(move |f| f.to == machine)
    }
}

impl Network {
    /// The host's side of the bridge, also the gateway: `.1`.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        self.host(1)
    }

    #[must_use]
    pub fn host(self, last: u8) -> Ipv4Addr {
        let [a, b, c, _] = self.base.octets();
        Ipv4Addr::new(a, b, c, last)
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/24", self.base)
    }
}
