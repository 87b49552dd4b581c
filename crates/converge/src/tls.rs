//! Certificates between the machines: which there are, and the files that carry them.
//!
//! Every instance has an authority of its own. Its key stays encrypted in the state, with whoever runs
//! Andamio; machines have its certificate, and one of their own for their service.

use crate::cx::Cx;
use crate::inputs::Inputs;
use crate::machine::{Resources, file, secret_file};
use crate::secrets::{SecretKind, SecretSpec};
use andamio_manifest::AUTHORITY;
use andamio_spec::Topology;
use andamio_spec::topology::Role;

/// Name of the authority among the secrets: certificate and key, PEM.
const AUTHORITY_SECRET: &str = "tls-authority";
/// What separates a certificate from the key that follows it.
const KEY: &str = "-----BEGIN PRIVATE KEY-----";

/// Name of a machine's certificate and key among the secrets.
fn secret(machine: &str) -> String {
    format!("tls-{machine}")
}

/// The authority, and a certificate for every machine with a service that others connect to.
pub(crate) fn secrets(topology: &Topology) -> Vec<SecretSpec> {
    let serves = [Role::Mariadb, Role::Redis, Role::Rabbitmq];
    let machines = topology.machines.iter().filter(|m| m.roles.iter().any(|r| serves.contains(r)));
    let mut all: Vec<SecretSpec> = machines
        .map(|machine| SecretSpec {
            name: secret(&machine.name),
            kind: SecretKind::Certificate,
            // Loopback, because an application reaches some through a proxy on its own machine.
            hosts: vec![
                machine.name.clone(),
                machine.address.to_string(),
                "localhost".to_owned(),
                "127.0.0.1".to_owned(),
            ],
        })
        .collect();
    if !all.is_empty() {
        let (name, hosts) = (AUTHORITY_SECRET.to_owned(), vec![topology.instance()]);
        all.insert(0, SecretSpec { name, kind: SecretKind::Authority, hosts });
    }
    all
}

/// Whether anything in this environment is spoken to over TLS.
pub(crate) fn is_there(inputs: &Inputs<'_>) -> bool {
    !secrets(inputs.topology).is_empty()
}

/// The authority's certificate, on every machine.
pub(crate) fn add_authority(cx: &Cx<'_>, out: &mut Resources) {
    if is_there(cx.inputs) {
        let both = cx.inputs.secret(AUTHORITY_SECRET);
        let certificate = both.split(KEY).next().unwrap_or_default();
        out.file(file(AUTHORITY, certificate));
    }
}

/// The machine's own certificate and key for a service's account; the answer is the file's id.
pub(crate) fn add_identity(cx: &Cx<'_>, out: &mut Resources, path: &str, group: &str) -> String {
    let both = cx.inputs.secret(&secret(&cx.machine.name));
    out.file(secret_file(path, both, ("root", group), 0o640))
}
