//! The names of things in the file, and what someone probably meant by another one.

use crate::model::{Currency, Group, Layout, Size};
use crate::topology::Role;
use std::fmt;

impl Group {
    /// In start order.
    pub const ALL: [Self; 6] =
        [Self::Mariadb, Self::Redis, Self::Rabbitmq, Self::App, Self::Balancer, Self::Ops];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.role().as_str()
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.as_str() == name)
    }

    /// The role that the machines of this group carry after `base`.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::Mariadb => Role::Mariadb,
            Self::Redis => Role::Redis,
            Self::Rabbitmq => Role::Rabbitmq,
            Self::App => Role::App,
            Self::Balancer => Role::Balancer,
            Self::Ops => Role::Ops,
        }
    }
}

impl Role {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Mariadb => "mariadb",
            Self::Redis => "redis",
            Self::Rabbitmq => "rabbitmq",
            Self::App => "app",
            Self::Balancer => "balancer",
            Self::Ops => "ops",
        }
    }
}

impl Layout {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Replica => "replica",
            Self::Galera => "galera",
            Self::Cluster => "cluster",
            Self::Floating => "floating",
        }
    }
}

impl Currency {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eur => "EUR",
            Self::Usd => "USD",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// As the file writes it: `2x4`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.vcpu, self.memory_gib())
    }
}

impl Size {
    /// Memory is counted in GiB, as the kernel and the providers do for a "4 GB" machine.
    #[must_use]
    pub const fn new(vcpu: u32, memory_gib: u32) -> Self {
        Self { vcpu, memory_bytes: (memory_gib as u64) << 30 }
    }

    #[must_use]
    pub fn memory_gib(self) -> u64 {
        self.memory_bytes >> 30
    }
}

/// Words people bring from other tools, and ours for the same thing.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("machines", &["count", "replicas", "instances", "nodes", "servers", "vms", "min"]),
    ("max", &["max_machines", "maximum", "max_replicas"]),
    ("size", &["type", "plan", "flavor"]),
    ("mariadb", &["mysql", "database", "db", "sql", "postgres", "postgresql"]),
    ("redis", &["cache", "valkey", "memcached"]),
    ("rabbitmq", &["queue", "mq", "amqp", "rabbit", "broker"]),
    ("balancer", &["lb", "loadbalancer", "load_balancer", "haproxy", "nginx", "proxy"]),
    ("ops", &["monitoring", "registry", "metrics"]),
    ("app", &["web", "application", "apps"]),
    ("on", &["place", "provider", "where"]),
    ("tls", &["ssl", "https"]),
    ("window", &["maintenance", "maintenance_window"]),
    ("keep", &["retention"]),
    ("ready", &["health", "healthcheck", "readiness"]),
    ("environments", &["envs", "env", "environment"]),
];

/// The candidate that `word` was probably meant to be: a word of other tools, another case, or at
/// most two slips (one for words of three letters and fewer).
#[must_use]
pub fn suggest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    // Nobody meant a key by a word of this length, and the distance costs its square.
    if word.len() > 40 {
        return None;
    }
    let word = word.to_lowercase();
    let synonym = SYNONYMS.iter().find(|(_, others)| others.contains(&word.as_str()));
    if let Some((ours, _)) = synonym
        && let Some(found) = candidates.iter().find(|candidate| *candidate == ours)
    {
        return Some(found);
    }
    let slips = if word.chars().count() <= 3 { 1 } else { 2 };
    candidates
        .iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), *candidate)
        })
        .filter(|(distance, _)| *distance <= slips)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
