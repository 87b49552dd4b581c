//! Certificates between the machines: which there are, and the files that carry them.
//!
//! Every instance has an authority of its own. Its key stays encrypted in the state, with whoever runs
//! Andamio; machines have its certificate, and one of their own for their service.

use crate::cx::Cx;
use crate::inputs::Inputs;
use crate::machine::{Resources, file, secret_file};
use crate::secret::{SecretKind, SecretSpec};
use andamio_manifest::{AUTHORITY, Check, Probe};
use andamio_spec::Topology;
use andamio_spec::topology::{Entry, Machine, Role};
use std::collections::BTreeMap;

/// Name of the authority among the secrets: certificate and key, PEM.
const AUTHORITY_SECRET: &str = "tls-authority";
/// Name of the instance's account with an authority that speaks ACME.
pub(crate) const ACCOUNT_SECRET: &str = "acme-account";
/// Any `up` of the five months before would have made a new one.
const WARN_DAYS: u64 = 30;
/// What separates a certificate from the key that follows it.
const KEY: &str = "-----BEGIN PRIVATE KEY-----";

/// Name of a machine's certificate and key among the secrets.
fn secret(machine: &str) -> String {
    format!("tls-{machine}")
}

/// The authority, and a certificate for every machine with a service that others connect to.
pub(crate) fn secrets(topology: &Topology) -> Vec<SecretSpec> {
    let machines = topology.machines.iter().filter(|machine| has_identity(topology, machine));
    let mut all: Vec<SecretSpec> = machines
        .map(|machine| SecretSpec {
            name: secret(&machine.name),
            kind: SecretKind::Certificate,
            hosts: hosts(topology, machine),
        })
        .collect();
    if matches!(topology.entry, Entry::Acme { .. }) {
        let (name, kind) = (ACCOUNT_SECRET.to_owned(), SecretKind::Account);
        all.push(SecretSpec { name, kind, hosts: Vec::new() });
    }
    if all.iter().any(|secret| secret.kind == SecretKind::Certificate) {
        let (name, hosts) = (AUTHORITY_SECRET.to_owned(), vec![topology.instance()]);
        all.insert(0, SecretSpec { name, kind: SecretKind::Authority, hosts });
    }
    all
}

/// Whether the machine shows others who it is.
pub(crate) fn has_identity(topology: &Topology, machine: &Machine) -> bool {
    machine.roles.iter().any(|role| role_has_identity(topology, *role))
}

fn role_has_identity(topology: &Topology, role: Role) -> bool {
    match role {
        Role::Mariadb | Role::Redis | Role::Rabbitmq => true,
        // It asks the databases which of them may be written to, and ends the balancers' TLS.
        Role::App => topology.is_database_proxied() || topology.entry.is_encrypted(),
        Role::Balancer => topology.entry.is_encrypted(),
        Role::Base | Role::Ops => false,
    }
}

fn hosts(topology: &Topology, machine: &Machine) -> Vec<String> {
    let mut hosts = vec![machine.name.clone(), machine.address.to_string()];
    if machine.roles.contains(&Role::Balancer) {
        hosts.extend(topology.floating_address().map(|address| address.to_string()));
    }
    // Loopback, because an application reaches some through a proxy on its own machine.
    hosts.extend(["localhost", "127.0.0.1"].map(str::to_owned));
    hosts
}

/// Whether anything in this environment is spoken to over TLS.
pub(crate) fn is_there(inputs: &Inputs<'_>) -> bool {
    !secrets(inputs.topology).is_empty()
}

/// The authority's certificate, which is nobody's secret; `None` without one.
#[must_use]
pub fn authority_certificate(secrets: &BTreeMap<String, String>) -> Option<&str> {
    secrets.get(AUTHORITY_SECRET)?.split(KEY).next()
}

/// The same, on every machine.
pub(crate) fn add_authority(cx: &Cx<'_>, out: &mut Resources) {
    if is_there(cx.inputs)
        && let Some(certificate) = authority_certificate(cx.inputs.secrets)
    {
        out.file(file(AUTHORITY, certificate));
    }
}

/// The machine's own certificate and key for a service's account; the answer is the file's id.
pub(crate) fn add_identity(cx: &Cx<'_>, out: &mut Resources, path: &str, group: &str) -> String {
    let both = cx.inputs.secret(&secret(&cx.machine.name));
    out.file(secret_file(path, both, ("root", group), 0o640))
}

/// Will the certificate of a role's service hold for long? One of [`crate::Service::concerns`].
pub(crate) fn concern(cx: &Cx<'_>, role: Role, path: &str) -> Option<Probe> {
    role_has_identity(cx.inputs.topology, role).then(|| Probe {
        name: format!("certificate {path}"),
        check: Check::Certificate { path: path.to_owned(), days: WARN_DAYS },
        deadline_s: 1,
    })
}
