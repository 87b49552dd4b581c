//! The way into servers that exist already: addresses of those that are declared by name, host keys that are known,
//! and the person's own keys.

mod keys;
mod names;

pub(crate) use keys::{Person, person};
pub(crate) use names::resolve;

use crate::{Failure, Kind};
use andamio_engine::{ErrorReport, Secret, Store};
use andamio_provision::Provider;
use andamio_provision::hosts::{Hosts, Known};
use andamio_remote::known;
use andamio_spec::{Place, Spec, Topology};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

pub(crate) const PINS: &str = "hosts";

/// How a person logs in where no run has been before.
#[derive(Debug, Clone, Default)]
pub struct SshAccess {
    /// The private key that the person names.
    pub named: Option<PathBuf>,
    /// Keys where ssh looks by itself, those that are there.
    pub usual: Vec<PathBuf>,
    /// Socket of an ssh-agent.
    pub agent: Option<PathBuf>,
    /// What the person typed, by file.
    pub passphrases: BTreeMap<PathBuf, Secret>,
    pub known_hosts: Vec<PathBuf>,
    /// Host keys that the person said yes to.
    pub accepted: BTreeMap<Ipv4Addr, String>,
}

/// Host keys of servers that a run has been on.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Pins {
    v: u32,
    keys: BTreeMap<Ipv4Addr, String>,
}

/// The place with the host keys that are known. The file's own word goes before the pin: it is how a
/// person says that a server was replaced. `addresses` are those of servers that are declared by name.
pub(crate) async fn open(
    spec: &Spec,
    access: &SshAccess,
    place: &str,
    addresses: &BTreeMap<String, Ipv4Addr>,
    store: &Store,
) -> Result<Hosts, Failure> {
    let Some(Place::Hosts { machines, user, port }) = spec.places.get(place) else {
        return Err(cannot(place).into());
    };
    let pins = pins(store).await?;
    let mut keys = BTreeMap::new();
    for host in machines {
        let written = host.address.parse::<Ipv4Addr>().ok();
        let Some(address) = written.or_else(|| addresses.get(&host.address).copied()) else {
            continue;
        };
        // As ssh was told to go there, whichever it was.
        let names = [host.address.clone(), address.to_string()];
        let pin = pins.keys.get(&address);
        let key = host
            .host_key
            .clone()
            .or_else(|| pin.cloned())
            .or_else(|| access.accepted.get(&address).cloned())
            .or_else(|| known(&access.known_hosts, &names, *port));
        if let Some(key) = key {
            keys.insert(address, Known { pinned: pin == Some(&key), key });
        }
    }
    Ok(Hosts { place: place.to_owned(), user: user.clone(), port: *port, keys })
}

async fn pins(store: &Store) -> Result<Pins, Failure> {
    let Some((_, body)) = store.newest(PINS).await? else { return Ok(Pins::default()) };
    serde_json::from_slice(&body).map_err(|e| {
        let help = "restore the folder `hosts` of the state from a copy, or remove it: keys are \
                    then asked for again";
        Failure::error(Kind::Failed, "state", &e, help)
    })
}

/// Writes down host keys that a run has seen, beside those of earlier runs.
pub(crate) async fn pin(
    store: &Store,
    keys: impl Iterator<Item = (Ipv4Addr, String)>,
) -> Result<(), Failure> {
    let mut pins = Pins { v: 1, ..pins(store).await? };
    pins.keys.extend(keys);
    let body = serde_json::to_vec(&pins)
        .map_err(|e| Failure::error(Kind::Failed, "state", &e, "this is a fault of Andamio"))?;
    store.append(PINS, body).await?;
    Ok(())
}

/// An address of no network in particular cannot move between two servers.
pub(crate) fn check_topology(provider: &Provider, topology: &Topology) -> Result<(), Failure> {
    if matches!(provider, Provider::Hosts(_)) && topology.floating_address().is_some() {
        return Err(Failure::new(
            Kind::Refused,
            "floating",
            "an address that moves between balancers needs a network of Andamio's own",
            "write `layout = \"single\"`: each balancer has an address of its own, and the domain's name has all of them",
        ));
    }
    Ok(())
}

/// What is refused where machines are not Andamio's to make.
pub(crate) fn cannot(place: &str) -> ErrorReport {
    ErrorReport::new(
        "hosts",
        format!(
            "the servers of `{place}` exist already: Andamio converges them, and neither creates, \
             starts, resizes nor removes them"
        ),
        "do that where they come from, then run `andamio up`",
    )
}
