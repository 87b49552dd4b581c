//! The ports that services listen on. Flows and rendered files both take them from here.

use std::ops::Range;

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
