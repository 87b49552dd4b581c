//! The kinds of thing a machine can be told to have.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One thing a machine must have. Its id is [`Resource::id`], for example `file:/etc/hostname`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    #[serde(flatten)]
    pub kind: Kind,
    /// The role that asks for it, for display.
    pub role: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Kind {
    Agent(Agent),
    Package(Package),
    File(File),
    Directory(Directory),
    Store(Store),
    User(User),
    Group(Group),
    Sysctl(Sysctl),
    Firewall(Firewall),
    Unit(Unit),
    Identity(ServiceCertificate),
    Image(Image),
    Secrets(Secrets),
    #[serde(rename = "kept")]
    KeptFolder(KeptFolder),
    Mariadb(Mariadb),
    Redis(Redis),
    Rabbitmq(Rabbitmq),
    RedisCluster(RedisCluster),
    RabbitmqCluster(RabbitmqCluster),
    Probe(Probe),
}

/// Which of the executables in [`AGENTS`] is the machine's: [`AGENT`] leads to it, and so do the units that run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Of its content; also its name. [`ANY_AGENT`]: the one that the last run has decided on.
    pub digest: String,
}

/// As a digest, in a check: which one it is says the machine.
pub const ANY_AGENT: &str = "";

/// Where executables are on a machine, each named by its digest: whoever looks brings an own one, and none takes
/// another's place.
pub const AGENTS: &str = "/var/lib/andamio/agent";

/// The machine's own: a symbolic link.
pub const AGENT: &str = "/usr/local/bin/andamio";

/// Debian packages that must be installed (or must not be), all in one transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Package {
    pub names: Vec<String>,
    #[serde(default)]
    pub absent: bool,
}

/// Text that may be secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Text {
    pub text: String,
    /// Never shown: diffs say only that it differs.
    #[serde(default)]
    pub sensitive: bool,
}

/// A regular file: content, mode and owner. Written beside, synced and renamed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct File {
    pub path: String,
    /// `None`: the file must not exist.
    pub content: Option<Text>,
    /// Permission bits, for example 0o644.
    pub mode: u32,
    pub owner: String,
    pub group: String,
    /// Command that judges the new content before it replaces the old one; `{}` is the path of the
    /// candidate. Example: `["sshd", "-t", "-f", "{}"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validate: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Directory {
    pub path: String,
    pub mode: u32,
    pub owner: String,
    pub group: String,
    /// Remove files in it that no file resource of the manifest declares (drop-in folders).
    #[serde(default)]
    pub exclusive: bool,
}

/// A folder with a service's data. When what it held is gone, that is said and asked about, never silent; then it
/// begins anew and empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Store {
    pub path: String,
    pub mode: u32,
    pub owner: String,
    pub group: String,
    /// Below `path`: as long as one of these is there, the data is.
    pub holds: Vec<String>,
    /// Command that makes an empty one; without it the service does that at its start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub init: Vec<String>,
    /// Units that have it open, stopped before a new one is made.
    pub units: Vec<String>,
}

/// A system account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    #[serde(default)]
    pub uid: Option<u32>,
    pub group: String,
    pub home: String,
    pub shell: String,
    /// A folder of the account's: one that was deleted gets the numbers back that own it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owns: Option<String>,
}

/// A group and exactly these members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    #[serde(default)]
    pub gid: Option<u32>,
    pub members: Vec<String>,
}

/// A kernel parameter, live and in /etc/sysctl.d.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sysctl {
    pub key: String,
    pub value: String,
}

/// The whole nftables ruleset of table `inet andamio`. Other tables are left alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Firewall {
    /// Source text in nft's own language, the complete table; kept at /etc/nftables.d/andamio.nft.
    pub ruleset: String,
}

/// A systemd unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// With suffix: `mariadb.service`.
    pub name: String,
    /// `None`: leave enablement alone (generated units).
    #[serde(default)]
    pub enabled: Option<bool>,
    #[serde(default)]
    pub masked: bool,
    /// `None`: leave it running or not.
    #[serde(default)]
    pub running: Option<bool>,
    /// Ids of resources whose change needs a restart, for example `file:/etc/mysql/…`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restart_on: Vec<String>,
    /// Ids of resources whose change needs only a reload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reload_on: Vec<String>,
    /// Users notice a restart of it.
    #[serde(default)]
    pub disrupts: bool,
}

/// What a service shows to other machines: certificate and key in one file, signed here by the machine's own
/// authority ([`crate::SIGNER`]) and made anew here long before its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceCertificate {
    pub path: String,
    /// Of the service's account; root owns the file.
    pub group: String,
    /// Names and addresses that it is for; the machine's name is the first.
    pub hosts: Vec<String>,
    pub taken_up: ReloadMethod,
}

/// How a running service takes a new certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReloadMethod {
    /// By itself, within minutes.
    Alone,
    /// By a reload of these units.
    Reload(Vec<String>),
    /// By HAProxy's administration socket, which forgets nothing of what the process has learnt.
    Haproxy(String),
}

/// A container image that podman must have. The archive has been put on the machine before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Full name with tag: `localhost/ficharfirm:0f3c…`.
    pub name: String,
    /// Docker archive on the machine; loaded when the image is missing, and removed afterwards.
    pub archive: String,
}

/// Of the secrets in podman's store, those whose names begin with `prefix`: exactly these. A container takes
/// them as variables of its environment, byte for byte, which a file of variables cannot carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Secrets {
    pub prefix: String,
    /// Name without the prefix → value: not empty, without NUL.
    pub values: BTreeMap<String, Text>,
}

/// A folder that a container keeps. A new one begins with what the image has at that place, as its owner and mode
/// are there; where the image has nothing it is empty and the container's user's. What is there stays as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptFolder {
    /// On the machine.
    pub path: String,
    /// Full name with tag; podman has it.
    pub image: String,
    /// In the container.
    pub inside: String,
    /// `USER` or `USER:GROUP`, names or numbers; `None`: the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Databases and accounts of a local MariaDB server, asked over its Unix socket as root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mariadb {
    pub socket: String,
    pub databases: Vec<String>,
    pub accounts: Vec<MariadbAccount>,
    /// Global variables that must be live as declared (name, value), for example
    /// `innodb_flush_log_at_trx_commit` = `1`.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Databases and accounts are written on every server by itself and stay out of its binary log:
    /// a replica that wrote its own would differ from its primary for ever.
    #[serde(default)]
    pub unlogged: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MariadbAccount {
    pub name: String,
    /// Host part, for example `198.18.1.%` or `localhost`.
    pub host: String,
    pub password: Text,
    /// Privilege → on what: `ALL PRIVILEGES` on `` `ficharfirm`.* ``. Anything wider is revoked.
    pub grants: Vec<MariadbGrant>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MariadbGrant {
    pub privileges: String,
    pub on: String,
}

/// One local Redis server in cluster mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Redis {
    pub address: String,
    pub port: u16,
    pub password: Text,
    /// Parameters that must be live as declared (`CONFIG GET`).
    pub config: BTreeMap<String, String>,
    /// Slot ranges (inclusive) that a new, empty cluster gives to this server. Empty: none.
    #[serde(default)]
    pub slots: Vec<(u16, u16)>,
}

/// The Redis servers of all machines as one cluster, seen from one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RedisCluster {
    pub password: Text,
    pub members: Vec<RedisMember>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RedisMember {
    /// `host:port`.
    pub address: String,
    /// First and last slot, of a planned master.
    #[serde(default)]
    pub slots: Option<(u16, u16)>,
    /// `host:port` of the planned master, of a planned copy.
    #[serde(default)]
    pub copy_of: Option<String>,
}

/// The members of a RabbitMQ cluster and a copy of every quorum queue on each, asked of one member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RabbitmqCluster {
    pub management: String,
    pub admin: String,
    pub admin_password: Text,
    /// `rabbit@rabbitmq-1`, …
    pub members: Vec<String>,
}

/// Users and permissions of a local RabbitMQ, asked over its management interface on loopback.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rabbitmq {
    /// `127.0.0.1:15672`.
    pub management: String,
    /// Account that may administer; exists from the definitions file loaded at start.
    pub admin: String,
    pub admin_password: Text,
    pub vhosts: Vec<String>,
    pub users: Vec<RabbitmqUser>,
    #[serde(default)]
    pub policies: Vec<RabbitmqPolicy>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RabbitmqUser {
    pub name: String,
    pub password: Text,
    /// `administrator`, `monitoring`, or empty.
    pub tags: String,
    pub vhost: String,
    pub configure: String,
    pub write: String,
    pub read: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RabbitmqPolicy {
    pub name: String,
    pub vhost: String,
    pub pattern: String,
    pub apply_to: String,
    pub definition: serde_json::Value,
}

/// A service that must answer before what follows is done. Changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// What is asked, in words: `rabbitmq`.
    pub name: String,
    pub check: Check,
    /// Seconds to wait for it.
    pub deadline_s: u64,
    /// The unit that would answer: while it ends again and again nobody has to be waited for, and its journal
    /// says why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// A GET in HTTP/1.1 and what it has to be answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `host:port`.
    pub address: String,
    /// With its slash and what follows, already encoded.
    pub path: String,
    /// Instead of the address, in `Host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Empty: any 2xx.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// `host:port` accepts a connection.
    Tcp(String),
    /// `http://host:port/path` answers 2xx; its body is the detail of a failure.
    Http(String),
    /// As [`Check::Http`], asked and answered as the application says.
    Request(Request),
    /// A command inside a running container ends with 0; its last lines are the detail of a failure.
    Command { container: String, command: Vec<String> },
    /// A systemd unit is active.
    Unit(String),
    /// A PEM file's certificate holds for more days than these.
    Certificate { path: String, days: u64 },
    /// The last run of a systemd unit did not fail; its last line is the detail of a failure.
    Run(String),
    /// A MariaDB socket answers, with the values given (for example `wsrep_ready` = `ON`).
    Mariadb { socket: String, status: BTreeMap<String, String> },
    /// A MariaDB server is the writable one of its pair, or copies the other without a fault.
    Replication { socket: String },
    /// Redis answers and, in a cluster, `cluster_state:ok`.
    Redis { address: String, password: Text },
    /// RabbitMQ's `/api/health/checks/alarms` is fine.
    Rabbitmq { management: String, user: String, password: Text },
}

impl Agent {
    /// The same whatever the content: units that run it name it in `restart_on`.
    #[must_use]
    pub fn id() -> String {
        format!("agent:{AGENT}")
    }
}

impl Resource {
    #[must_use]
    pub fn new(role: &str, kind: Kind) -> Self {
        Self { kind, role: role.to_owned() }
    }

    /// `KIND:NAME`, unique in a manifest.
    #[must_use]
    pub fn id(&self) -> String {
        match &self.kind {
            Kind::Agent(_) => Agent::id(),
            Kind::Package(p) => format!("package:{}", p.names.join(",")),
            Kind::File(f) => format!("file:{}", f.path),
            Kind::Directory(d) => format!("directory:{}", d.path),
            Kind::Store(s) => format!("store:{}", s.path),
            Kind::User(u) => format!("user:{}", u.name),
            Kind::Group(g) => format!("group:{}", g.name),
            Kind::Sysctl(s) => format!("sysctl:{}", s.key),
            Kind::Firewall(_) => "firewall:andamio".to_owned(),
            Kind::Unit(u) => format!("unit:{}", u.name),
            Kind::Identity(i) => format!("identity:{}", i.path),
            Kind::Image(i) => format!("image:{}", i.name),
            Kind::Secrets(s) => format!("secrets:{}", s.prefix),
            Kind::KeptFolder(k) => format!("kept:{}", k.path),
            Kind::Mariadb(_) => "mariadb:accounts".to_owned(),
            Kind::Redis(r) => format!("redis:{}", r.port),
            Kind::Rabbitmq(_) => "rabbitmq:accounts".to_owned(),
            Kind::RedisCluster(_) => "redis:cluster".to_owned(),
            Kind::RabbitmqCluster(_) => "rabbitmq:cluster".to_owned(),
            Kind::Probe(p) => format!("probe:{}", p.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_of_an_older_operator_is_read() {
        let old = r#"{"name":"web","check":{"http":"http://127.0.0.1:8080/up"},"deadline_s":60}"#;
        let probe: Probe = serde_json::from_str(old).unwrap();
        assert_eq!(probe.check, Check::Http("http://127.0.0.1:8080/up".to_owned()));
        assert_eq!(serde_json::to_string(&probe).unwrap(), old);
        let least = r#"{"request":{"address":"127.0.0.1:8080","path":"/up"}}"#;
        let check: Check = serde_json::from_str(least).unwrap();
        assert_eq!(serde_json::to_string(&check).unwrap(), least);
    }
}
