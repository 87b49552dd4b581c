//! The roles, and what they have in common.

pub(crate) mod app;
mod balancer;
pub(crate) mod base;
pub(crate) mod haproxy;
pub(crate) mod mariadb;
mod ops;
pub(crate) mod rabbitmq;
pub(crate) mod readiness;
pub(crate) mod redis;
pub(crate) mod table;

use self::table::RoleTable;
use self::table::Service;
use crate::context::RoleContext;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::phase::Phase;
use crate::secret::SecretKind;
use crate::tls;
use andamio_manifest::Resource;
use andamio_spec::topology::{Machine, Role};
use andamio_spec::{Group, Topology};
use std::net::Ipv4Addr;

/// Where a service is reached, and as whom.
pub(crate) struct Endpoint {
    scheme: &'static str,
    pub(crate) host: Ipv4Addr,
    pub(crate) port: u16,
    pub(crate) user: &'static str,
    pub(crate) password: String,
    /// Database or virtual host.
    pub(crate) path: String,
}

impl Endpoint {
    /// Passwords and names mean themselves in it.
    pub(crate) fn url(&self) -> String {
        let Self { scheme, host, port, user, password, path } = self;
        format!("{scheme}://{user}:{password}@{host}:{port}/{path}")
    }
}

/// What is known about a role.
#[must_use]
pub fn table(role: Role) -> &'static RoleTable {
    match role {
        Role::Base => &base::TABLE,
        Role::Mariadb => &mariadb::TABLE,
        Role::Redis => &redis::TABLE,
        Role::Rabbitmq => &rabbitmq::TABLE,
        Role::App => &app::TABLE,
        Role::Balancer => &balancer::TABLE,
        Role::Ops => &ops::TABLE,
    }
}

/// All of them: what every machine has, and the groups in their order.
pub fn tables() -> impl Iterator<Item = &'static RoleTable> {
    [Role::Base].into_iter().chain(Group::ALL.map(Group::role)).map(table)
}

pub(crate) fn resources(cx: &RoleContext<'_>) -> Result<Vec<Resource>, Error> {
    let mut all = Vec::new();
    for table in cx.machine.roles.iter().map(|role| table(*role)) {
        let has_containers = all.iter().any(|r: &Resource| r.role == app::CONTAINERS);
        if table.has_images && !has_containers {
            all.extend(app::podman(cx));
        }
        all.extend((table.resources)(cx)?);
    }
    // Last of all: a migration needs none of it.
    if cx.phase == Phase::App || !cx.machine.roles.contains(&Role::App) {
        let renewal = tls::renewal(&all)?;
        all.extend(renewal);
    }
    Ok(all)
}

/// The services of one machine, for `status`.
#[must_use]
pub fn health(inputs: &Inputs<'_>, machine: &Machine) -> Vec<Service> {
    let cx = RoleContext { inputs, machine, phase: Phase::App };
    machine.roles.iter().flat_map(|role| (table(*role).health)(&cx)).collect()
}

pub(crate) fn secrets(topology: &Topology) -> Vec<(&'static str, SecretKind)> {
    let there = tables().filter(|table| topology.with_role(table.role).next().is_some());
    there.flat_map(|table| (table.secrets)(topology)).copied().collect()
}
