//! Servers that exist already: whose keys are known, what they lack, and the first contact.

mod keys;
mod names;

pub use keys::{Locked, has_passphrase, locked, unlock};
pub(crate) use keys::{Person, UNLOCK, person};
pub(crate) use names::resolve;

use crate::actor::heard;
use crate::instance::{Instance, Request, Shared};
use crate::{Failure, Kind};
use andamio_engine::{Action, BoxFuture, ErrorReport, Outcome, StepContext, Store};
use andamio_provision::hosts::{FACTS, Hosts, Known, Look, problems};
use andamio_provision::{Found, MachineState, Provider};
use andamio_remote::{HostKey, RemoteError, Session, known, shown};
use andamio_spec::{Place, Topology};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// Two lost packets of a connection are sent again within it.
const PATIENCE: Duration = Duration::from_secs(5);
const PINS: &str = "hosts";

/// Host keys of servers that a run has been on.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Pins {
    v: u32,
    keys: BTreeMap<Ipv4Addr, String>,
}

/// A server whose key nobody vouches for yet.
pub struct UnknownHost {
    pub machine: String,
    pub address: Ipv4Addr,
    pub key: HostKey,
}

/// The place with the host keys that are known. The file's own word goes before the pin: it is how a
/// person says that a server was replaced. `addresses` are those of servers that are declared by name.
pub(crate) async fn open(
    request: &Request,
    place: &str,
    addresses: &BTreeMap<String, Ipv4Addr>,
    store: &Store,
) -> Result<Hosts, Failure> {
    let Some(Place::Hosts { machines, user, port }) = request.spec.places.get(place) else {
        return Err(cannot(place).into());
    };
    let pins = pins(store).await?;
    let access = &request.access;
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

/// Servers that have to be vouched for before anything else, with the keys they show. Empty in other
/// places.
///
/// # Errors
/// [`Kind::Host`] when one of them does not answer.
pub async fn unknown_hosts(
    instance: &Instance,
    limit: &[String],
) -> Result<Vec<UnknownHost>, Failure> {
    let Provider::Hosts(_) = &instance.provider else { return Ok(Vec::new()) };
    let machines = wanted(instance, limit);
    let unknown = machines.iter().filter(|m| m.state == MachineState::Missing);
    let looks = join_all(unknown.map(|machine| async move {
        let at = (machine.address, machine.port).into();
        let key = shown(&machine.name, at, PATIENCE).await.map_err(|e| says(machine, &e))?;
        Ok(UnknownHost { machine: machine.name.clone(), address: machine.address, key })
    }));
    all(instance, looks.await)
}

/// Logs in everywhere and asks what is missing there, all of it in one failure. Changes nothing.
/// `known`: also where an earlier run has been.
///
/// # Errors
/// [`Kind::Host`] with everything that is missing.
pub async fn check(instance: &Instance, limit: &[String], known: bool) -> Result<(), Failure> {
    let Provider::Hosts(hosts) = &instance.provider else { return Ok(()) };
    let machines = wanted(instance, limit);
    let asked = machines.iter().filter(|m| known || !hosts.is_pinned(m.address));
    let asked = asked.map(|machine| ask(instance, machine, !hosts.is_pinned(machine.address)));
    all(instance, join_all(asked).await).map(|_: Vec<()>| ())
}

async fn ask(instance: &Instance, machine: &Found, is_new: bool) -> Result<(), Complaint> {
    let session = instance.nodes.session(machine, PATIENCE).await.map_err(|e| says(machine, &e))?;
    let said = session.output(FACTS, &[]).await.map_err(|e| says(machine, &e))?;
    let text = String::from_utf8_lossy(&said.stdout);
    let complaint = String::from_utf8_lossy(&said.stderr);
    let now = jiff::Timestamp::now().as_second();
    let problems = problems(&Look { user: &machine.user, now, is_new }, &text, &complaint);
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("{} ({}): {}", machine.name, machine.address, problems.join(", ")).into())
}

/// Servers that do not have exactly the instance's keys yet, or whose host key is not pinned.
pub(crate) async fn lack_key(instance: &Instance, limit: &[String]) -> Vec<String> {
    let Provider::Hosts(hosts) = &instance.provider else { return Vec::new() };
    let machines = wanted(instance, limit);
    let asked = machines.iter().map(|machine| async move {
        let has = match instance.nodes.session(machine, PATIENCE).await {
            Ok(session) => keys::are_left(instance, machine, &session).await.unwrap_or(false),
            Err(_) => false,
        };
        (!has || !hosts.is_pinned(machine.address)).then(|| machine.name.clone())
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Step: leave the instance's keys on these servers, and pin their host keys.
pub(crate) struct InstallKey(pub(crate) Shared, pub(crate) Vec<String>);

impl Action for InstallKey {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> BoxFuture<'a, Result<Outcome, ErrorReport>> {
        Box::pin(async move {
            let left = install_key(&self.0, &self.1).await.map_err(|failure| failure.error)?;
            Ok(if left == 0 { Outcome::Ok } else { Outcome::Changed(left) })
        })
    }
}

async fn install_key(instance: &Instance, machines: &[String]) -> Result<u32, Failure> {
    let work = wanted(instance, machines).into_iter().map(|machine| async move {
        let session =
            instance.nodes.session(&machine, PATIENCE).await.map_err(|e| says(&machine, &e))?;
        let has = keys::are_left(instance, &machine, &session).await;
        let is_new = !has.map_err(|e| says(&machine, &e))?;
        if is_new {
            leave_keys(instance, &machine, &session).await?;
        }
        Ok((machine.address, machine.host_key.clone(), is_new))
    });
    let keys: Vec<(Ipv4Addr, String, bool)> = all(instance, join_all(work).await)?;
    let left = keys.iter().filter(|(_, _, is_new)| *is_new).count();
    let mut pins = Pins { v: 1, ..pins(&instance.store).await? };
    pins.keys.extend(keys.into_iter().map(|(address, key, _)| (address, key)));
    let body = serde_json::to_vec(&pins)
        .map_err(|e| Failure::error(Kind::Failed, "state", &e, "this is a fault of Andamio"))?;
    instance.store.append(PINS, body).await?;
    for machine in machines {
        heard::note(instance, machine).await?;
    }
    Ok(u32::try_from(left).unwrap_or(u32::MAX))
}

async fn leave_keys(
    instance: &Instance,
    machine: &Found,
    session: &Arc<Session>,
) -> Result<(), Complaint> {
    let script = keys::leave(instance, machine);
    let output = session.output(&script, &[]).await.map_err(|e| says(machine, &e))?;
    if output.exit.success() {
        return Ok(());
    }
    let (name, address) = (&machine.name, machine.address);
    Err(format!("{name} ({address}) takes no key: {}", output.complaint()).into())
}

fn wanted(instance: &Instance, limit: &[String]) -> Vec<Found> {
    let machines = instance.inventory().machines;
    machines.into_iter().filter(|m| limit.is_empty() || limit.contains(&m.name)).collect()
}

/// Why a server is not a machine yet.
struct Complaint {
    text: String,
    /// It lets nobody in with the keys that were tried.
    refused: bool,
    /// It would let somebody in with a key whose passphrase nobody gave.
    locked: bool,
}

impl From<String> for Complaint {
    fn from(text: String) -> Self {
        Self { text, refused: false, locked: false }
    }
}

fn says(machine: &Found, error: &RemoteError) -> Complaint {
    let Found { name, address, port, user, .. } = machine;
    let text = match error {
        RemoteError::Unreachable { .. } => {
            format!("{name} does not answer SSH at {address}:{port}")
        }
        RemoteError::Refused { tried, .. } => {
            // Only where an earlier run left it, it could have been let in.
            let others: Vec<&str> =
                tried.iter().map(String::as_str).filter(|key| !is_own(key)).collect();
            if others.is_empty() {
                format!("{name} ({address}) lets {user} in with no key: there is none to try")
            } else {
                let keys = others.join(", ");
                format!("{name} ({address}) lets {user} in with none of these keys: {keys}")
            }
        }
        RemoteError::TurnedAway { .. } => format!(
            "{name} ({address}) ends every connection at once: it serves too many at a time, or has seen too many \
             failed logins from here, and takes them again in a minute (sshd's PerSourcePenalties)"
        ),
        RemoteError::Locked { key, .. } => {
            format!("{name} ({address}) would let {user} in with {key}, which has a passphrase")
        }
        RemoteError::HostKey { .. } => {
            format!("{name} ({address}) shows another host key than the known one")
        }
        RemoteError::More { .. } => format!(
            "{name} ({address}) takes the key of {user} and asks for something else besides it, a password or \
             a code, which nobody gives when a program logs in"
        ),
        other => format!("{name} ({address}): {other}"),
    };
    Complaint {
        text,
        refused: matches!(error, RemoteError::Refused { .. }),
        locked: matches!(error, RemoteError::Locked { .. }),
    }
}

/// How messages call the key that Andamio made for an instance.
pub(crate) const OWN: &str = "the instance's own";

/// A key that only an earlier run can have left.
fn is_own(key: &str) -> bool {
    [OWN, crate::actor::OWN].iter().any(|own| key.contains(own))
}

/// All answers, or everything that went wrong in one failure.
fn all<T>(instance: &Instance, answers: Vec<Result<T, Complaint>>) -> Result<Vec<T>, Failure> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for answer in answers {
        match answer {
            Ok(value) => good.push(value),
            Err(why) => bad.push(why),
        }
    }
    if bad.is_empty() {
        return Ok(good);
    }
    if bad.iter().any(|why| why.refused) && !instance.skipped_keys.is_empty() {
        bad.push(format!("not tried: {}", instance.skipped_keys.join(", ")).into());
    }
    let help = if bad.iter().any(|why| why.locked) {
        UNLOCK
    } else {
        "a server needs: Debian 13 on x86-64, SSH with a key (ANDAMIO_SSH_KEY names one; else an ssh-agent's and \
         ~/.ssh/id_* are tried), root or sudo without a password; a replaced one needs its new `host_key` in \
         andamio.toml"
    };
    let texts: Vec<String> = bad.into_iter().map(|why| why.text).collect();
    Err(Failure::new(Kind::Host, "hosts", texts.join("; "), help))
}
