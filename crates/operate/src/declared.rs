//! What an opened instance declares: manifests of its machines, what is recorded as wanted, and which machines there are.

use crate::desired::{Desired, ReleaseName};
use crate::instance::Shared;
use crate::{Failure, Instance, Kind};
use andamio_converge::{Error, Inputs, Phase, Release, keep, manifests_of};
use andamio_engine::{ErrorReport, now};
use andamio_manifest::Manifest;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Manifests of all machines, generation 0: it is given when they are sent.
pub(crate) fn render(
    instance: &Shared,
    keys: &[String],
    release: Option<&Release>,
    phase: Phase,
) -> Result<Vec<Manifest>, Failure> {
    let inputs = inputs(instance, release, keys)?;
    let mut manifests = manifests_of(&inputs, phase).map_err(|e| undeclarable(&e))?;
    keep(&inputs, &stand_ins(instance), &mut manifests).map_err(|e| undeclarable(&e))?;
    Ok(manifests)
}

/// Why nothing could be rendered. A secret that only a person knows is waited for.
pub(crate) fn undeclarable(error: &andamio_converge::Error) -> Failure {
    let (kind, code) = match error {
        Error::MissingSecrets(_) => (Kind::Refused, "secret-missing"),
        _ => (Kind::Failed, "manifest"),
    };
    Failure::error(kind, code, error, error.help())
}

/// What whoever knows no secret renders with.
pub(crate) fn stand_ins(instance: &Instance) -> BTreeMap<String, String> {
    let (spec, topology) = (&instance.request.spec, &instance.topology);
    andamio_converge::stand_ins(spec, topology, instance.secrets.marks())
}

pub(crate) fn inputs<'a>(
    instance: &'a Shared,
    release: Option<&'a Release>,
    keys: &'a [String],
) -> Result<Inputs<'a>, ErrorReport> {
    Ok(Inputs {
        spec: &instance.request.spec,
        topology: &instance.topology,
        environment: &instance.environment,
        secrets: instance.secrets.values(),
        release,
        operator_keys: keys,
        resolver: instance.resolver.as_deref(),
        agent: instance.nodes.digest()?,
        generation: 0,
    })
}

/// Are all machines of `--limit` declared?
///
/// # Errors
/// Names the first that is not, with a near one.
pub fn check_limit(instance: &Instance, limit: &[String]) -> Result<(), Failure> {
    let names: Vec<&str> = instance.topology.machines.iter().map(|m| m.name.as_str()).collect();
    for name in limit {
        if !names.contains(&name.as_str()) {
            return Err(no_machine(instance, name));
        }
    }
    Ok(())
}

/// The machine is not declared; names a near one.
pub(crate) fn no_machine(instance: &Instance, name: &str) -> Failure {
    let names: Vec<&str> = instance.topology.machines.iter().map(|m| m.name.as_str()).collect();
    let all = names.join(", ");
    let help = match andamio_spec::suggest(name, &names) {
        Some(near) => format!("did you mean `{near}`? {} has {all}", instance.name()),
        None => format!("{} has {all}", instance.name()),
    };
    Failure::new(Kind::Usage, "machine", format!("no machine `{name}`"), &help)
}

/// Nothing of the application is live.
pub(crate) fn no_release(instance: &Instance) -> Failure {
    Failure::new(
        Kind::Failed,
        "release",
        format!("no release of the application is live in {}", instance.name()),
        &format!("bring it up with `andamio up {}`", instance.topology.env),
    )
}

/// What a run leaves recorded that makes `release` and the instance's file real, on the machines of `limit`.
pub(crate) fn wanted(
    instance: &Instance,
    release: Option<&Release>,
    limit: &[String],
    enabled: bool,
) -> Desired {
    let name = |r: &Release| ReleaseName { id: r.id.clone(), image: r.image.clone() };
    let file = instance.request.text.clone();
    let processes = instance.request.spec.app.processes.keys();
    let releases =
        release.into_iter().flat_map(|r| processes.clone().map(|p| (p.clone(), name(r))));
    let counts = instance.environment.groups.iter().map(|(group, of)| (*group, of.machines));
    let verb = if enabled { "up" } else { "down" };
    let mut limit = limit.to_vec();
    limit.sort();
    Desired {
        v: 1,
        number: 0,
        parent: instance.desired.as_ref().map_or(0, |former| former.number),
        enabled,
        sha256: hex::encode(Sha256::digest(&file)),
        file,
        releases: releases.collect(),
        counts: counts.collect(),
        limit,
        by: instance.request.by.clone(),
        written: now(),
        why: format!("{verb} {}", instance.name()),
    }
}
