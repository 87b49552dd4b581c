//! Certificates between the machines: who may sign for whom, and what carries them.
//!
//! Every instance has an authority of its own. Its key stays encrypted in the state, with whoever runs
//! Andamio. It signs an authority for each machine, good for this machine's names and addresses, and the machine signs
//! for its services, for a week at a time.

use crate::context::RoleContext;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::machine::{Resources, file, secret_file, unit};
use crate::render::render;
use crate::roles::table;
use crate::secret::{SecretKind, SecretSpec};
use andamio_manifest::{
    AUTHORITY, Check, IDENTITIES, Kind, LATE_DAYS, PRIVATE_KEY, Probe, ReloadMethod, Resource,
    SIGNER, ServiceCertificate, Unit,
};
use andamio_spec::Topology;
use andamio_spec::topology::{Entry, Machine, Role};
use minijinja::context;
use std::collections::BTreeMap;

/// Name of the authority among the secrets: certificate and key, PEM.
const AUTHORITY_SECRET: &str = "tls-root";
/// Name of the instance's account with an authority that speaks ACME.
pub(crate) const ACCOUNT_SECRET: &str = "acme-account";

/// Name of a machine's authority among the secrets.
fn secret(machine: &str) -> String {
    format!("tls-signer-{machine}")
}

/// The authority, and one for every machine with a service that others connect to.
pub(crate) fn secrets(topology: &Topology) -> Vec<SecretSpec> {
    let machines = topology.machines.iter().filter(|machine| has_identity(topology, machine));
    let mut all: Vec<SecretSpec> = machines
        .map(|machine| SecretSpec {
            name: secret(&machine.name),
            kind: SecretKind::Signer,
            hosts: hosts(topology, machine),
        })
        .collect();
    if matches!(topology.entry, Entry::Acme { .. }) {
        let (name, kind) = (ACCOUNT_SECRET.to_owned(), SecretKind::Account);
        all.push(SecretSpec { name, kind, hosts: Vec::new() });
    }
    if all.iter().any(|secret| secret.kind == SecretKind::Signer) {
        let (name, hosts) = (AUTHORITY_SECRET.to_owned(), vec![topology.instance()]);
        all.insert(0, SecretSpec { name, kind: SecretKind::Authority, hosts });
    }
    all
}

/// Whether the machine shows others who it is.
pub(crate) fn has_identity(topology: &Topology, machine: &Machine) -> bool {
    machine.roles.iter().any(|role| (table(*role).has_identity)(topology))
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
    secrets.get(AUTHORITY_SECRET)?.split(PRIVATE_KEY).next()
}

/// The same, on every machine, and what the machine signs with.
pub(crate) fn add_authorities(cx: &RoleContext<'_>, out: &mut Resources) {
    if is_there(cx.inputs)
        && let Some(certificate) = authority_certificate(cx.inputs.secrets)
    {
        out.file(file(AUTHORITY, certificate));
    }
    if has_identity(cx.inputs.topology, cx.machine) {
        let both = cx.inputs.secret(&secret(&cx.machine.name));
        out.file(secret_file(SIGNER, both, ("root", "root"), 0o600));
    }
}

/// What a service of the machine shows to others, for all of the machine's names and addresses.
pub(crate) fn add_identity(
    cx: &RoleContext<'_>,
    out: &mut Resources,
    (path, group): (&str, &str),
    taken_up: ReloadMethod,
) {
    let hosts = hosts(cx.inputs.topology, cx.machine);
    add_identity_for(hosts, out, (path, group), taken_up);
}

/// The same for some of them.
pub(crate) fn add_identity_for(
    hosts: Vec<String>,
    out: &mut Resources,
    (path, group): (&str, &str),
    taken_up: ReloadMethod,
) {
    let (path, group) = (path.to_owned(), group.to_owned());
    out.add(Kind::Identity(ServiceCertificate { path, group, hosts, taken_up }));
}

/// What renews all that the machine signs for itself, once the roles have said what that is.
pub(crate) fn renewal(roles: &[Resource]) -> Result<Vec<Resource>, Error> {
    let identities: Vec<&ServiceCertificate> = roles
        .iter()
        .filter_map(|resource| match &resource.kind {
            Kind::Identity(identity) => Some(identity),
            _ => None,
        })
        .collect();
    if identities.is_empty() {
        return Ok(Vec::new());
    }
    let mut out = Resources::of("certificates");
    let list = serde_json::to_string_pretty(&identities).unwrap_or_default();
    out.file(file(IDENTITIES, format!("{list}\n")));
    let mut folders: Vec<&str> =
        identities.iter().filter_map(|i| Some(i.path.rsplit_once('/')?.0)).collect();
    folders.dedup();
    let reloaded = identities.iter().filter_map(|identity| match &identity.taken_up {
        ReloadMethod::Reload(units) => Some(units.join(" ")),
        _ => None,
    });
    let before = reloaded.collect::<Vec<_>>().join(" ");
    let mut file_of = |name: &str, text: String| {
        out.file(file(&format!("/etc/systemd/system/andamio-identity{name}"), text))
    };
    let service = |boot: bool| {
        let values = context! { boot, before, folders => folders.join(" ") };
        render("identity.service", include_str!("identity.service"), values)
    };
    let restart_on = vec![
        file_of(".service", service(false)?),
        file_of(".timer", include_str!("identity.timer").to_owned()),
    ];
    file_of("-boot.service", service(true)?);
    out.unit(Unit { restart_on, ..unit("andamio-identity.timer") });
    out.unit(Unit { running: None, ..unit("andamio-identity-boot.service") });
    Ok(out.into_list())
}

/// Will the certificate of a role's service hold for long? One of [`crate::Service::concerns`].
pub(crate) fn concern(cx: &RoleContext<'_>, role: Role, path: &str) -> Option<Probe> {
    (table(role).has_identity)(cx.inputs.topology).then(|| Probe {
        name: format!("certificate {path}"),
        check: Check::Certificate { path: path.to_owned(), days: LATE_DAYS },
        deadline_s: 1,
        unit: None,
    })
}
