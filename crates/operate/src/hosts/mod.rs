//! First contact with servers that exist already: who vouches for them, what they lack, and leaving the instance's key.

mod keys;

pub use keys::{Locked, has_passphrase, locked, unlock};

use crate::access;
use crate::actor::heard;
use crate::failure::UNLOCK;
use crate::instance::{Instance, Shared};
use crate::secret::OWN;
use crate::{Failure, Kind};
use andamio_engine::{Action, BoxFuture, ErrorReport, Outcome, StepContext};
use andamio_provision::hosts::{FACTS, Look, problems};
use andamio_provision::{Found, MachineState, Provider};
use andamio_remote::{HostKey, RemoteError, Session, shown};
use futures_util::future::join_all;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// Two lost packets of a connection are sent again within it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server whose key nobody vouches for yet.
pub struct UnknownHost {
    pub machine: String,
    pub address: Ipv4Addr,
    pub key: HostKey,
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
    let keys = keys.into_iter().map(|(address, key, _)| (address, key));
    access::pin(&instance.store, keys).await?;
    for machine in machines {
        heard::note(&instance.store, &instance.actors, machine).await?;
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
