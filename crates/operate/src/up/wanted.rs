//! Which release a run makes real: the source's, or the recorded one.

use crate::desired::Desired;
use crate::release::{self, Context};
use crate::{Failure, Instance, Kind};
use andamio_converge::Release;

/// What is to run, and its source: the recorded one has none.
pub(super) fn release(instance: &Instance) -> Result<(Option<Release>, Option<Context>), Failure> {
    if let Some(recorded) = instance.desired.as_ref().filter(|_| instance.request.as_recorded) {
        if !recorded.enabled {
            return Err(not_wanted(instance, recorded));
        }
        return Ok((recorded.release(), None));
    }
    let app = &instance.request.spec.app;
    if let (Some(reference), true) = (&app.image, release::is_deployed(instance)) {
        return Ok((Some(release::of_reference(instance, reference)), None));
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
    if context.is_some() && app.processes.is_empty() {
        return Err(Failure::new(
            Kind::Failed,
            "no-processes",
            "no process is declared, and the last stage of the Containerfile exposes no port",
            "add [app.processes] with web = { port = 8080 }, or EXPOSE with the port to the Containerfile",
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
