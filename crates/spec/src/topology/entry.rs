//! How people come in.

use super::{Entry, Role, Topology, ports};
use crate::model::{Environment, Place, Process, Spec, Tls};

/// Its servers ask back from the internet.
const PUBLIC_AUTHORITY: &str = ".letsencrypt.org/";

pub(super) fn of(spec: &Spec, environment: &Environment, topology: &Topology) -> Entry {
    if topology.with_role(Role::Balancer).next().is_none() {
        return Entry::Plain;
    }
    match &environment.tls {
        Tls::Off => Entry::Plain,
        Tls::Test => Entry::Own,
        Tls::Acme { directory, .. } => {
            let local = matches!(spec.places.get(&topology.place), Some(Place::Local));
            if local && directory.contains(PUBLIC_AUTHORITY) {
                // It could not reach a machine here, and does not like to be asked in vain.
                Entry::Own
            } else {
                Entry::Acme { domain: spec.app.domain.clone() }
            }
        }
    }
}

pub(super) fn url(topology: &Topology, public: Option<(&str, &Process)>) -> String {
    if let Some(address) = topology.entry_address() {
        return match &topology.entry {
            Entry::Plain => format!("http://{address}"),
            Entry::Own => format!("https://{address}"),
            Entry::Acme { domain } => format!("https://{domain}"),
        };
    }
    let Some(app) = topology.machine("app-1") else { return String::new() };
    match public.and_then(|(_, process)| process.port) {
        None | Some(ports::HTTP) => format!("http://{}", app.address),
        Some(port) => format!("http://{}:{port}", app.address),
    }
}
