//! `status`: every machine and every service, asked now, and what is used of the limits.

mod concern;
mod declared;
mod limits;

pub use concern::{Concern, Severity, concerns};
pub use limits::{Limits, Use};

use crate::declared::{inputs, stand_ins};
use crate::instance::Shared;
use crate::state::{Held, Wanted, locks};
use crate::{Failure, release};
use andamio_converge::{Inputs, Release, Service, asked, health};
use andamio_manifest::{ANY_AGENT, Event, Manifest, Outcome, Probe};
use andamio_provision::local::Room;
use andamio_provision::{MachineState, Provider};
use futures_util::future::join_all;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::time::Duration;

#[derive(Debug, Serialize)]
pub struct Status {
    pub v: u32,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub env: String,
    pub place: String,
    pub healthy: bool,
    /// `healthy`, `degraded` or `down`.
    pub state: &'static str,
    pub url: String,
    pub release: Option<String>,
    pub machines: Vec<MachineStatus>,
    pub services: Vec<ServiceStatus>,
    pub limits: Limits,
    /// What the state says is wanted; `null` where no run has recorded it.
    pub desired: Option<Wanted>,
    /// Who works there now.
    pub locks: Vec<Held>,
    pub concerns: Vec<Concern>,
    /// Of the disk of this host that machines share; `null` at places elsewhere.
    pub host: Option<Room>,
}

#[derive(Debug, Serialize)]
pub struct MachineStatus {
    pub name: String,
    pub roles: Vec<&'static str>,
    pub address: String,
    pub memory_bytes: u64,
    /// What it may use at most.
    pub memory_limit_bytes: u64,
    /// Of its file system; `null` where it does not run, or only the machine itself could tell.
    pub disk_bytes: Option<u64>,
    pub disk_limit_bytes: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    pub tasks_limit: Option<u64>,
    pub state: &'static str,
}

#[derive(Debug, Serialize)]
pub struct ServiceStatus {
    pub machine: String,
    pub name: String,
    pub state: &'static str,
    pub detail: String,
}

/// The connection is there already: it was asked over it.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks all machines at once; a machine that does not answer is part of the answer.
///
/// # Errors
/// When the state cannot be read.
pub async fn status(instance: &Shared) -> Result<Status, Failure> {
    let live = release::current(instance).await?;
    let release = live.map(|l| Release::new(&l.id, &l.image));
    let keys = instance.known_keys();
    // Nothing secret is sent, and whoever can read none says the same: machines have kept what they were given. Nor does
    // the executable of who only looks matter.
    let stand_ins = stand_ins(instance);
    let known = inputs(instance, release.as_ref(), &keys)?;
    let inputs = Inputs { secrets: &stand_ins, agent: ANY_AGENT, ..known };
    let inventory = instance.inventory();
    let answers = instance.topology.machines.iter().map(|machine| {
        let whole = asked(&inputs, machine);
        let services = health(&inputs, machine);
        let found = inventory.get(&machine.name);
        async move {
            let mut state = found.map_or(MachineState::Missing, |f| f.state).as_str();
            let mut answers = Vec::new();
            let mut sent = None;
            let mut differing = Vec::new();
            if let (Some(found), "running") = (found, state) {
                let asked = match whole {
                    Ok(whole) => ask(instance, found, &services, &whole).await,
                    Err(why) => Err(why.to_string()),
                };
                match asked {
                    Ok(said) => {
                        (answers, differing) = said;
                        let session = instance.nodes.session(found, PATIENCE).await;
                        if let Ok(session) = session {
                            sent = limits::sent(&session).await;
                        }
                    }
                    Err(why) => {
                        state = "unreachable";
                        answers = all_down(&machine.name, &services, &why);
                    }
                }
            } else {
                let why = format!("the machine is {state}");
                answers.extend(all_down(&machine.name, &services, &why));
            }
            let (disk, tasks) =
                (instance.provider.disk(&machine.name), instance.provider.tasks(&machine.name));
            let status = MachineStatus {
                name: machine.name.clone(),
                roles: machine.roles.iter().map(|r| r.as_str()).collect(),
                address: machine.address.to_string(),
                memory_bytes: instance.provider.memory(&machine.name),
                memory_limit_bytes: machine.size.memory_bytes,
                disk_bytes: disk.map(|(used, _)| used),
                disk_limit_bytes: disk.map(|(_, whole)| whole),
                tasks: tasks.map(|(now, _)| now),
                tasks_limit: tasks.map(|(_, most)| most),
                state,
            };
            (status, (answers, sent, differing))
        }
    });
    let (answers, mut concerns) = tokio::join!(join_all(answers), concerns(instance));
    let (mut machines, mut services, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for (machine, (answers, traffic, differing)) in answers {
        let differing = declared::untold(differing, &machine.name, &concerns);
        concerns.extend(declared::concern(&instance.topology.env, &machine.name, &differing));
        machines.push(machine);
        services.extend(answers);
        sent.push(traffic);
    }
    concerns.extend(declared::unreleased(&instance.topology, release.as_ref()));
    let sent: Vec<_> = sent.into_iter().flatten().collect();
    let month = Timestamp::now().to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string();
    let limits = limits::limits(instance, &inventory, &sent, &month);
    let serves =
        machines.iter().all(|m| m.state == "running") && services.iter().all(|s| s.state != "down");
    let paged = concerns.iter().any(|c| c.severity == Severity::Page);
    let healthy = serves && !paged && services.iter().all(|s| s.state == "healthy");
    let state = match (serves, healthy && concerns.is_empty()) {
        (true, true) => "healthy",
        (true, false) => "degraded",
        (false, _) => "down",
    };
    Ok(Status {
        v: 1,
        kind: "status",
        env: instance.topology.env.clone(),
        place: instance.topology.place.clone(),
        healthy,
        state,
        url: instance.topology.url.clone(),
        release: release.map(|r| r.id),
        machines,
        services,
        limits,
        desired: instance.desired.as_ref().map(Wanted::of),
        locks: locks(&instance.store).await?,
        concerns,
        host: match &instance.provider {
            Provider::Local(local) => Some(local.room()),
            Provider::Hosts(_) => None,
        },
    })
}

async fn ask(
    instance: &Shared,
    found: &andamio_provision::Found,
    services: &[Service],
    manifest: &Manifest,
) -> Result<(Vec<ServiceStatus>, Vec<String>), String> {
    let said = instance.nodes.apply(found, manifest, true, |_| {}).await.map_err(|f| f.message)?;
    let answer = |probe: &str| {
        said.events.iter().find_map(|event| match event {
            Event::Resource { resource, outcome, message, .. }
                if *resource == format!("probe:{probe}") =>
            {
                Some((*outcome, message.clone()))
            }
            _ => None,
        })
    };
    let services = services
        .iter()
        .map(|service| {
            let bad = |probes: &[Probe]| {
                probes.iter().find_map(|probe| match answer(&probe.name) {
                    Some((Outcome::Ok, _)) => None,
                    Some((outcome, why)) => Some((outcome, why)),
                    None => Some((Outcome::Skipped, "not asked".to_owned())),
                })
            };
            let (state, detail) = match (bad(&service.probes), bad(&service.concerns)) {
                (None, None) => ("healthy", String::new()),
                // Nobody knows: it may well serve.
                (None, Some((_, why))) | (Some((Outcome::Skipped, why)), _) => ("degraded", why),
                (Some((_, why)), None) => ("down", why),
                (Some((_, what)), Some((_, why))) => ("down", format!("{what}: {why}")),
            };
            let (machine, name) = (found.name.clone(), service.name.clone());
            ServiceStatus { machine, name, state, detail }
        })
        .collect();
    Ok((services, declared::differing(&said.events)))
}

fn all_down(machine: &str, services: &[Service], why: &str) -> Vec<ServiceStatus> {
    let down = |s: &Service| ServiceStatus {
        machine: machine.to_owned(),
        name: s.name.clone(),
        state: "down",
        detail: why.to_owned(),
    };
    services.iter().map(down).collect()
}
