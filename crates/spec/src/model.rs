//! `andamio.toml` after parsing: every default filled in, every value in base units.

use crate::topology::Network;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spec {
    pub project: Project,
    pub app: App,
    /// In the order of the file.
    pub environments: Vec<Environment>,
    pub places: BTreeMap<String, Place>,
    pub backup: Backup,
}

impl Spec {
    /// The same with addresses in place of the names of a place's servers: what a topology is made of.
    #[must_use]
    pub fn with_addresses(&self, place: &str, addresses: &BTreeMap<String, Ipv4Addr>) -> Self {
        let mut spec = self.clone();
        if let Some(Place::Hosts { machines, .. }) = spec.places.get_mut(place) {
            for host in machines {
                if let Some(address) = addresses.get(&host.address) {
                    host.address = address.to_string();
                }
            }
        }
        spec
    }

    /// The same with other numbers of machines in some groups of an environment, each within the bounds that are
    /// declared for it.
    #[must_use]
    pub fn with_counts(&self, env: &str, counts: &BTreeMap<Group, u32>) -> Self {
        let mut spec = self.clone();
        for environment in spec.environments.iter_mut().filter(|e| e.name == env) {
            for (group, declared) in &mut environment.groups {
                if let Some(count) = counts.get(group) {
                    declared.machines = (*count).clamp(declared.machines, declared.max);
                }
            }
        }
        spec
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Project {
    pub name: String,
    pub currency: Currency,
    /// Who can read secrets: age or ssh-ed25519 public keys.
    pub team: Vec<String>,
    /// Where the state is, as a URL; `.andamio` beside `andamio.toml` by default.
    pub state: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    Eur,
    Usd,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct App {
    /// Folder with the Containerfile, relative to `andamio.toml`.
    pub source: String,
    pub domain: String,
    /// Path that answers 2xx when a process can serve.
    pub ready: String,
    pub prepare: Vec<String>,
    pub test: Vec<String>,
    pub migrate: Vec<String>,
    pub secrets: Vec<String>,
    /// Absolute paths inside the container that are kept.
    pub files: Vec<String>,
    pub processes: BTreeMap<String, Process>,
}

/// When a process can serve, for the machine's probe and the balancers alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ready {
    Path {
        /// With its slash and what follows, already encoded.
        path: String,
        /// Empty: any 2xx.
        status: Vec<u16>,
        headers: BTreeMap<String, String>,
        /// In `Host`; the application's domain by default.
        host: Option<String>,
    },
    /// Its port takes a connection.
    Tcp,
    /// A command inside the container ends with 0.
    Command(Vec<String>),
    /// As soon as it runs.
    None,
}

impl Ready {
    /// A path that answers 2xx.
    #[must_use]
    pub fn path(path: &str) -> Self {
        let path = path.to_owned();
        Self::Path { path, status: Vec::new(), headers: BTreeMap::new(), host: None }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Process {
    pub command: Vec<String>,
    pub port: Option<u16>,
    pub queue: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Environment {
    pub name: String,
    /// Name of the place; `local` by default.
    pub on: String,
    pub branch: Option<String>,
    pub groups: BTreeMap<Group, GroupSpec>,
    pub tls: Tls,
    pub window: Window,
    /// Actions that need a person's yes.
    pub approve: Vec<String>,
    pub limits: Limits,
    /// Money a month, in the project's currency.
    pub budget: Option<u32>,
    /// A local /24 of its own; without it the place picks a free one.
    pub network: Option<Network>,
}

/// A kind of machine. Declared order is start order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    Mariadb,
    Redis,
    Rabbitmq,
    App,
    Balancer,
    Ops,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupSpec {
    pub machines: u32,
    /// Upper bound for scaling; equals `machines` when not given.
    pub max: u32,
    pub size: Size,
    /// File system of each machine, in bytes (GB = 10⁹): what `limits.storage` counts.
    pub disk_bytes: u64,
    pub layout: Layout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Size {
    pub vcpu: u32,
    pub memory_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One machine, or machines that do not know of each other.
    Single,
    /// MariaDB primary and GTID replica.
    Replica,
    /// MariaDB Galera.
    Galera,
    /// Redis Cluster or RabbitMQ cluster.
    Cluster,
    /// Balancers with one floating address.
    Floating,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    Off,
    Test,
    /// Certificates of an authority that speaks ACME. `roots`, PEM, are whom its own address is believed
    /// by; empty for the public authorities.
    Acme {
        directory: String,
        contact: String,
        roots: String,
    },
}

/// When disruptive maintenance may run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    Always,
    /// On these weekdays (1 = Monday … 7 = Sunday, UTC), between these minutes of the day; an end at
    /// or before the start is on the next day.
    Weekly {
        days: Vec<u8>,
        from_minute: u16,
        to_minute: u16,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limits {
    /// Most machines the environment may have.
    pub machines: Option<u32>,
    /// The largest that one machine may be.
    pub size: Option<Size>,
    pub storage_bytes: Option<u64>,
    pub bandwidth_bits_per_s: Option<u64>,
    /// Outgoing bytes a month.
    pub transfer_bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    Local,
    /// Servers that exist already, and how to log in there.
    Hosts {
        machines: Vec<Host>,
        user: String,
        port: u16,
    },
    Linode {
        region: String,
        state: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Host {
    /// An IPv4 address, or a name that whoever uses it looks up.
    pub address: String,
    pub groups: Vec<Group>,
    /// OpenSSH public key that the server must show.
    pub host_key: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backup {
    pub full: String,
    pub incremental: String,
    /// Seconds.
    pub keep_s: u64,
}
