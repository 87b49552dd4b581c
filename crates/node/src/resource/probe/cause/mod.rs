//! Why a process of the application does not start or is not reached: looked up once it is clear that it is so.

mod exit;
mod log;
pub(super) mod sockets;

pub(crate) use exit::Exit;

use super::Watch;
use crate::failure::Failure;
use crate::machine::{Machine, journal};
use andamio_manifest::{Cause, Check, Kind, Probe};
use std::time::UNIX_EPOCH;

/// How it was asked in vain.
pub(super) struct Asked {
    pub(super) port: Option<u16>,
    /// There was nobody at the port.
    pub(super) refused: bool,
    /// It runs and has answered, so its log says nothing of a failed start.
    pub(super) answered: bool,
}

impl Asked {
    pub(super) fn new(check: &Check, failure: Option<&Failure>) -> Self {
        let text = failure.map(Failure::to_string).unwrap_or_default();
        Self {
            port: port(check),
            refused: text.contains("Connection refused"),
            answered: text.contains(" answers "),
        }
    }
}

fn port(check: &Check) -> Option<u16> {
    let address = match check {
        Check::Request(request) => &request.address,
        Check::Tcp(address) => address,
        _ => return None,
    };
    address.rsplit_once(':')?.1.parse().ok()
}

/// Whether a unit listens, and not where it is asked.
pub(super) fn is_elsewhere(unit: &str, asked: &Asked) -> bool {
    let verdict = |port| sockets::verdict(&sockets::look(unit).listens, port, asked.refused);
    asked.refused && asked.port.and_then(verdict).is_some()
}

/// The failure of a probe whose unit is watched: `what` and why, how the unit is, and what it said last.
pub(super) async fn explain(
    probe: &Probe,
    unit: &str,
    what: &str,
    asked: &Asked,
    machine: &mut Machine,
) -> Failure {
    let lines = own_lines(unit, machine).await;
    let exit = machine.watches.get(unit).and_then(Watch::recent_exit);
    let seen = sockets::look(unit);
    let reach = asked.port.and_then(|port| sockets::verdict(&seen.listens, port, asked.refused));
    let said = || log::cause(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let why = match (&exit, reach) {
        (Some(exit), _) => Some(died(exit, said())),
        (None, Some(reach)) => Some(reach),
        (None, None) if asked.answered => None,
        (None, None) => said().or_else(|| {
            let silent = asked.refused && seen.listens.is_empty();
            silent.then(|| "it runs and listens on no port".to_owned())
        }),
    };
    let state = match machine.systemd().await {
        Ok(systemd) => systemd.unit(unit).await,
        Err(failure) => Err(failure),
    };
    let state = match state {
        Ok(state) => format!("{unit} is {} ({})", state.active, state.sub),
        Err(failure) => failure.to_string(),
    };
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    failure(format!("{} {what}{why}; {state}", probe.name), &lines)
}

/// Whether a probe stands behind a unit: it is a process of the application.
pub(crate) fn judges(machine: &Machine, unit: &str) -> bool {
    machine.manifest.resources.iter().any(|resource| {
        matches!(&resource.kind, Kind::Probe(Probe { unit: Some(probed), .. }) if probed == unit)
    })
}

/// The failure of a job that should have started a unit, where that is a process of the application.
pub(crate) async fn explain_start(unit: &str, failed: Failure, machine: &mut Machine) -> Failure {
    if !judges(machine, unit) {
        return Failure::new(format!("{failed}; {}", journal::last_lines(unit).await));
    }
    let exit = match machine.systemd().await {
        Ok(systemd) => super::watch::last_exit(&systemd, unit).await,
        Err(_) => None,
    };
    let lines = own_lines(unit, machine).await;
    let said = log::cause(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let why = match exit {
        Some(exit) => died(&exit, said),
        None => said.unwrap_or_else(|| failed.to_string()),
    };
    failure(format!("{unit} does not start: {why}"), &lines)
}

fn died(exit: &Exit, said: Option<String>) -> String {
    let words = exit.words();
    // Nobody has to guess then.
    match said.filter(|_| !exit.is_memory()) {
        Some(said) => format!("{words}; {said}"),
        None => words,
    }
}

async fn own_lines(unit: &str, machine: &Machine) -> Vec<String> {
    // What a former release said is of no interest; who was not started by this run said it before.
    let begun = machine.begun.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let started = machine.changes(&format!("unit:{unit}"));
    journal::own_lines(unit, started.then_some(begun)).await
}

fn failure(text: String, lines: &[String]) -> Failure {
    let log = match lines {
        [] => "it has said nothing".to_owned(),
        lines => format!("it said last:\n{}", lines.join("\n")),
    };
    let text = format!("{text}; {log}");
    // What other services mean by these words is what they mean here too; the rest is the application's own.
    let cause = match Failure::new(&text).cause() {
        Some(cause @ (Cause::DiskFull | Cause::PortTaken | Cause::ImageStore)) => cause,
        _ => Cause::Application,
    };
    Failure::because(cause, text)
}
