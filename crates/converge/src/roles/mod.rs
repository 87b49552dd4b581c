//! The roles, and what they have in common.

pub(crate) mod app;
mod balancer;
mod base;
mod haproxy;
pub(crate) mod mariadb;
pub(crate) mod rabbitmq;
pub(crate) mod redis;

use crate::context::RoleContext;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::phase::Phase;
use crate::secret::SecretKind;
use crate::tls;
use andamio_manifest::{Probe, Resource};
use andamio_spec::Topology;
use andamio_spec::topology::{Machine, Role};

/// What `status` shows as one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub name: String,
    /// All have to answer; they change nothing, and a reader may shorten their deadlines.
    pub probes: Vec<Probe>,
    /// One that fails tells of trouble to come: the service is degraded, and serves.
    pub concerns: Vec<Probe>,
}

impl Service {
    fn new(name: &str, probes: Vec<Probe>, concern: Option<Probe>) -> Self {
        Self { name: name.to_owned(), probes, concerns: concern.into_iter().collect() }
    }
}

pub(crate) fn resources(cx: &RoleContext<'_>) -> Result<Vec<Resource>, Error> {
    let mut all = Vec::new();
    for role in &cx.machine.roles {
        let has_containers = all.iter().any(|r: &Resource| r.role == app::CONTAINERS);
        if matches!(role, Role::App | Role::Ops) && !has_containers {
            all.extend(app::podman(cx));
        }
        all.extend(match role {
            Role::Base => base::resources(cx)?,
            Role::Mariadb => mariadb::resources(cx)?,
            Role::Redis => redis::resources(cx)?,
            Role::Rabbitmq => rabbitmq::resources(cx)?,
            Role::App => app::resources(cx)?,
            Role::Balancer => balancer::resources(cx)?,
            // It builds the application's image, and sends a drill's load: nothing of it is in the path of a request.
            Role::Ops => Vec::new(),
        });
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
    let of = |role: &Role| match role {
        Role::Mariadb => mariadb::health(&cx),
        Role::Redis => redis::health(&cx),
        Role::Rabbitmq => rabbitmq::health(&cx),
        Role::App => app::health(&cx),
        Role::Balancer => balancer::health(&cx),
        Role::Base | Role::Ops => Vec::new(),
    };
    machine.roles.iter().flat_map(of).collect()
}

pub(crate) fn secrets(topology: &Topology) -> Vec<(&'static str, SecretKind)> {
    let mut all = Vec::new();
    let has = |role| topology.with_role(role).next().is_some();
    if has(Role::Mariadb) {
        all.extend_from_slice(mariadb::secrets(topology));
    }
    if has(Role::Redis) {
        all.extend_from_slice(redis::SECRETS);
    }
    if has(Role::Rabbitmq) {
        all.extend_from_slice(rabbitmq::SECRETS);
    }
    all
}
