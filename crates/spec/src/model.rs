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

    /// The same with the application as it is in this environment.
    #[must_use]
    pub fn in_environment(&self, env: &str) -> Self {
        let mut spec = self.clone();
        if let Some(environment) = self.environments.iter().find(|known| known.name == env) {
            spec.app.env.extend(environment.env.clone());
            spec.app.processes.extend(environment.processes.clone());
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

/// Name → text with references, which [`crate::variable`] reads.
pub type Variables = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct App {
    /// Folder with the Containerfile, relative to `andamio.toml`; empty where there is an image instead.
    pub source: String,
    /// What a registry calls the image, instead of a source.
    pub image: Option<String>,
    pub build: Build,
    pub domain: String,
    pub ready: Ready,
    /// Seconds until a process has to be ready.
    pub start_s: u64,
    pub prepare: Vec<String>,
    pub test: Vec<String>,
    pub migrate: Migrate,
    pub env: Variables,
    /// Where in the container the variables are also a file.
    pub env_file: Option<String>,
    pub secrets: Vec<AppSecret>,
    /// Absolute paths inside the container that are kept.
    pub files: Vec<String>,
    /// What is asked under load; nothing where that is found out.
    pub load: Option<Load>,
    pub processes: BTreeMap<String, Process>,
}

/// How the image is built.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Build {
    /// Containerfile, relative to the source; one of the usual names by default.
    pub file: Option<String>,
    /// Stage at which the build ends.
    pub target: Option<String>,
    pub args: BTreeMap<String, String>,
    /// Secrets that `RUN --mount=type=secret` finds by their names.
    pub secrets: Vec<String>,
    /// PEM file, relative to `andamio.toml`, of an authority that the build believes.
    pub trust: Option<String>,
}

/// When a process can serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ready {
    /// A request for the path is answered with one of these statuses; none: any 2xx.
    Path {
        path: String,
        status: Vec<u16>,
        headers: BTreeMap<String, String>,
        /// For the `Host` header; the domain, where there is one, by default.
        host: Option<String>,
    },
    /// The port takes a connection.
    Tcp,
    /// A command in the container ends with 0.
    Command(Vec<String>),
    /// It runs.
    None,
}

impl Ready {
    /// 2xx at this path.
    #[must_use]
    pub fn path(path: &str) -> Self {
        let path = path.to_owned();
        Self::Path { path, status: Vec::new(), headers: BTreeMap::new(), host: None }
    }
}

/// How the database gets the form that the release wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Migrate {
    #[default]
    None,
    /// Gets `up`, `status` or `down` as its last word.
    Verb(Vec<String>),
    /// Each as it is written; empty: there is none.
    Commands { up: Vec<String>, status: Vec<String>, down: Vec<String>, contract: Vec<String> },
}

impl Migrate {
    /// The command that brings the database up to the release.
    #[must_use]
    pub fn up(&self) -> Option<Vec<String>> {
        match self {
            Self::None => None,
            Self::Verb(words) => {
                let mut words = words.clone();
                words.push("up".to_owned());
                Some(words)
            }
            Self::Commands { up, .. } => Some(up.clone()).filter(|up| !up.is_empty()),
        }
    }
}

/// A secret of the application's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppSecret {
    pub name: String,
    /// Somebody has to set it: none is made up.
    pub given: bool,
    /// Path in the container at which it is a file, instead of a variable.
    pub file: Option<String>,
    /// Who gets it; `None`: all.
    pub processes: Option<Vec<String>>,
}

impl AppSecret {
    #[must_use]
    pub fn is_for(&self, process: &str) -> bool {
        self.processes.as_ref().is_none_or(|all| all.iter().any(|name| name == process))
    }
}

/// Where the requests of a load come from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Load {
    Requests(Vec<LoadRequest>),
    /// A program of the application's image with the subcommands `seed` and `load`.
    Program(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadRequest {
    pub path: String,
    pub method: String,
    /// How often, beside the other requests.
    pub weight: u32,
    pub headers: BTreeMap<String, String>,
    pub body: Option<String>,
    /// Answers that are no failure; empty for any 2xx.
    pub status: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Process {
    /// Replaces the image's entry point and command; empty: the image's.
    pub command: Vec<String>,
    /// Replaces only the image's command.
    pub arguments: Vec<String>,
    pub port: Option<u16>,
    pub queue: Option<String>,
    /// The application's by default.
    pub ready: Option<Ready>,
    pub start_s: Option<u64>,
    pub env: Variables,
    /// Beside the application's.
    pub secrets: Vec<AppSecret>,
    /// Beside the application's.
    pub files: Vec<String>,
    pub container: Container,
}

/// What a process's container may do and have; the image's own where nothing is said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Container {
    /// `USER` or `USER:GROUP`, names or numbers.
    pub user: Option<String>,
    /// Whether the image's files can be changed; kept files always can.
    pub writable: bool,
    /// Paths with a file system in memory.
    pub tmpfs: Vec<String>,
    /// Exactly these, without `CAP_`; `None`: those that podman gives.
    pub capabilities: Option<Vec<String>>,
    pub sysctls: BTreeMap<String, String>,
    /// Size of /dev/shm.
    pub shm_bytes: Option<u64>,
    pub workdir: Option<String>,
    /// Signal without `SIG`.
    pub stop_signal: Option<String>,
    /// Seconds from the signal until it is killed.
    pub stop_grace_s: u64,
    pub memory_bytes: Option<u64>,
    /// Thousandths of a processor.
    pub cpu_milli: Option<u64>,
}

impl Default for Container {
    fn default() -> Self {
        Self {
            user: None,
            writable: true,
            tmpfs: Vec::new(),
            capabilities: None,
            sysctls: BTreeMap::new(),
            shm_bytes: None,
            workdir: None,
            stop_signal: None,
            stop_grace_s: crate::defaults::STOP_GRACE_S,
            memory_bytes: None,
            cpu_milli: None,
        }
    }
}

impl App {
    /// When this process can serve: without a port there is nothing to ask by default.
    #[must_use]
    pub fn ready_of<'a>(&'a self, process: &'a Process) -> &'a Ready {
        match (&process.ready, process.port) {
            (Some(ready), _) => ready,
            (None, Some(_)) => &self.ready,
            (None, None) => &Ready::None,
        }
    }

    /// Seconds until this process has to be ready.
    #[must_use]
    pub fn start_of(&self, process: &Process) -> u64 {
        process.start_s.unwrap_or(self.start_s)
    }

    /// Every secret of the application and its processes, each name once.
    #[must_use]
    pub fn all_secrets(&self) -> Vec<&AppSecret> {
        let of_processes = self.processes.values().flat_map(|process| &process.secrets);
        let mut all: Vec<&AppSecret> = Vec::new();
        for secret in self.secrets.iter().chain(of_processes) {
            if all.iter().all(|known| known.name != secret.name) {
                all.push(secret);
            }
        }
        all
    }

    /// Every kept path of the application and its processes, each once.
    #[must_use]
    pub fn all_files(&self) -> Vec<&String> {
        let of_processes = self.processes.values().flat_map(|process| &process.files);
        let mut all: Vec<&String> = Vec::new();
        for path in self.files.iter().chain(of_processes) {
            if !all.contains(&path) {
                all.push(path);
            }
        }
        all
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Environment {
    pub name: String,
    /// Name of the place; `local` by default.
    pub on: String,
    pub branch: Option<String>,
    pub groups: BTreeMap<Group, GroupSpec>,
    /// Beside the application's, and instead of those of the same names.
    pub env: Variables,
    /// Processes that are other here than elsewhere, whole.
    pub processes: BTreeMap<String, Process>,
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
