//! The ports that services listen on. Flows and rendered files both take them from here.

use std::ops::{Range, RangeInclusive};

pub const SSH: u16 = 22;
pub const HTTP: u16 = 80;
pub const HTTPS: u16 = 443;
/// Where an application's machine ends the balancers' TLS, before the process that serves the public.
pub const APP_TLS: u16 = 8443;
pub const MARIADB: u16 = 3306;
/// Answers 200 while a MariaDB server may be written to; asked by the proxies before it.
pub const MARIADB_HEALTH: u16 = 9200;
/// The whole data of a primary, while a replica is made from it.
pub const MARIADB_COPY: u16 = 4444;
/// Group communication of Galera.
pub const GALERA: u16 = 4567;
/// Incremental state transfer.
pub const GALERA_IST: u16 = 4568;
/// Whole state transfer.
pub const GALERA_SST: u16 = 4444;
/// AMQP over TLS.
pub const AMQPS: u16 = 5671;
/// Erlang's port mapper: each machine asks its own.
pub const EPMD: u16 = 4369;
/// Erlang distribution of RabbitMQ: the port of plain AMQP plus 20,000.
pub const RABBITMQ_CLUSTER: u16 = 25_672;
pub const REDIS: u16 = 6379;
/// The figures of a machine.
pub const METRICS: u16 = 9100;
/// Prometheus, and who it tells, on the machine for operations.
pub const PROMETHEUS: u16 = 9090;
pub const ALERTS: u16 = 9093;
/// Backups and logs of the other machines come in there: two ports beside each other.
pub const RECEIVERS: RangeInclusive<u16> = 9443..=9444;
/// The cluster bus of a Redis listens this much above its port.
pub const REDIS_BUS_OFFSET: u16 = 10_000;

/// Ports of the Redis instances on each machine of a group of this size.
///
/// One machine has one master. Two have three each, three masters among them, and the replicas
/// crossed. From three on each has a master and another one's replica.
#[must_use]
pub fn redis(machines: usize) -> Range<u16> {
    let instances = match machines {
        0 | 1 => 1,
        2 => 3,
        _ => 2,
    };
    REDIS..REDIS + instances
}

/// Ports below this one are for root alone, unless the machine says otherwise.
pub const FIRST_FREE: u16 = 1024;

/// What Andamio itself listens on, or keeps for itself, on a machine where processes of the application run:
/// those of the roles `base`, `app` and `ops`. A process there would take the port from it, and what lets
/// people reach the process would let them reach Andamio's.
pub const BESIDE_PROCESSES: &[(RangeInclusive<u16>, &str)] = &[
    (SSH..=SSH, "SSH, by which Andamio works on the machine"),
    (MARIADB..=MARIADB, "the proxy that finds the database's writer"),
    (APP_TLS..=APP_TLS, "the proxy that decrypts what the balancers send"),
    (PROMETHEUS..=PROMETHEUS, "the metrics of the environment"),
    (ALERTS..=ALERTS, "the alerts of the environment"),
    (METRICS..=METRICS, "the metrics of the machine"),
    (RECEIVERS, "what receives backups and logs"),
];

/// What Andamio uses a port for where processes run.
#[must_use]
pub fn beside_processes(port: u16) -> Option<&'static str> {
    BESIDE_PROCESSES.iter().find(|(ports, _)| ports.contains(&port)).map(|(_, what)| *what)
}
