//! What a run makes real: the source's release or the recorded one, and what it leaves recorded.

use crate::desired::{Desired, ReleaseName};
use crate::release::{self, Context};
use crate::{Failure, Instance, Kind};
use andamio_converge::Release;
use andamio_engine::now;
use sha2::{Digest, Sha256};

/// What is to run, and its source: the recorded one has none.
pub(super) fn release(instance: &Instance) -> Result<(Option<Release>, Option<Context>), Failure> {
    if let Some(recorded) = instance.desired.as_ref().filter(|_| instance.request.as_recorded) {
        if !recorded.enabled {
            return Err(not_wanted(instance, recorded));
        }
        return Ok((recorded.release(), None));
    }
    let context = release::context(instance)?;
    if let Some(missing) = context.as_ref().and_then(|c| c.unprepared.first()) {
        return Err(Failure::new(
            Kind::Failed,
            "unprepared",
            format!("the Containerfile copies {}, and it is not there", missing.display()),
            "correct `prepare` in andamio.toml or the path in the Containerfile",
        ));
    }
    Ok((context.as_ref().map(|c| release::of(instance, c)), context))
}

fn not_wanted(instance: &Instance, recorded: &Desired) -> Failure {
    let Desired { by, written, .. } = recorded;
    Failure::new(
        Kind::Refused,
        "not-wanted",
        format!("nothing is wanted of {}: {by} took it down at {written:.0}", instance.name()),
        "bring it up with `andamio up` in the project's folder",
    )
}

/// What a run leaves recorded that makes `release` and the instance's file real, on the machines of `limit`.
pub(crate) fn desired(
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
