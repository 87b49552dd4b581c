//! What every machine of an environment has to be: one manifest per machine, rendered from its roles.
//!
//! Pure: no files, no clock, no randomness, no terminal, so the same inputs give the same bytes. A
//! role is one folder below `roles/` and holds all that the system knows about it: packages, files,
//! units, accounts, the secrets it needs, and how its health is asked. What others need of that is in
//! its [`table`].

mod cluster;
mod context;
mod error;
mod inputs;
mod kept;
mod machine;
mod phase;
mod render;
mod roles;
mod secret;
mod secrets;
mod tls;

pub use cluster::{ClusterManifest, parts};
pub use error::Error;
pub use inputs::{ARCHIVES, Inputs, Release};
pub use kept::{asked, keep, stand_ins};
pub use phase::Phase;
pub use roles::app::{
    CONTAINERS, QUADLETS, app_environment, default_process, one_off, outsider, process_unit,
};
pub use roles::base::RESOLVER;
pub use roles::haproxy::CONFIG as HAPROXY_CONFIG;
pub use roles::mariadb::{connections as mariadb_connections, galera, replica};
pub use roles::redis::{RedisNode, redis_nodes};
pub use roles::table::{ClusterTable, DrillTable, Promise, RoleTable, Service, Turn, unit_fits};
pub use roles::{health, table, tables};
pub use secret::{SecretKind, SecretSpec};
pub use secrets::{secret_names, secret_value_problem};
pub use tls::authority_certificate;

use andamio_manifest::{Manifest, VERSION};

/// The whole manifests, one per machine of the topology, in machine order.
///
/// # Errors
/// A secret of [`secret_names`] is missing, empty or of a form that a file cannot hold, or no operator
/// has a key.
pub fn manifests(inputs: &Inputs<'_>) -> Result<Vec<Manifest>, Error> {
    manifests_of(inputs, Phase::App)
}

/// The manifests of a phase, one per machine, in machine order. They carry the generation of the
/// inputs; a node refuses one generation with two contents, so a caller that applies both phases to
/// an app machine gives [`Phase::Base`] generation N and [`Phase::App`] generation N + 1.
///
/// # Errors
/// As [`manifests`].
pub fn manifests_of(inputs: &Inputs<'_>, phase: Phase) -> Result<Vec<Manifest>, Error> {
    secrets::check(inputs)?;
    inputs
        .topology
        .machines
        .iter()
        .map(|machine| {
            let cx = context::RoleContext { inputs, machine, phase };
            Ok(Manifest {
                v: VERSION,
                machine: machine.name.clone(),
                keeps_hostname: cx.is_host(),
                instance: inputs.topology.instance(),
                generation: inputs.generation,
                part: false,
                stand_ins: false,
                resources: roles::resources(&cx)?,
            })
        })
        .collect()
}
