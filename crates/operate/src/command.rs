//! Commands in an environment: on a machine, in the application's image, in the database.

use crate::declared::{inputs, no_machine, no_release, undeclarable};
use crate::failure::remote_fault;
use crate::instance::Shared;
use crate::{Failure, Instance, Kind, release};
use andamio_converge::Release;
use andamio_engine::ErrorReport;
use andamio_provision::{Found, MachineState};
use andamio_remote::{Output, Session, quote};
use andamio_spec::suggest;
use andamio_spec::topology::Role;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
/// Where another machine would do as well.
const SHORT: Duration = Duration::from_secs(4);

/// Where a command runs, and what it is.
pub struct Job {
    pub machine: Found,
    pub work: Work,
    /// What the person should know about the choice of the machine.
    pub note: Option<String>,
}

pub enum Work {
    /// A login shell.
    Shell,
    /// A line for the machine's shell.
    Line(String),
    /// A container: the words of `podman run` before those options that belong to the connection.
    Container(Vec<String>),
}

/// A machine by name, running; or the machines of a group.
///
/// # Errors
/// When there is none of that name, or it does not run.
pub fn machines(instance: &Instance, name: &str, all: bool) -> Result<Vec<Found>, Failure> {
    let of_group = instance.topology.machines.iter().filter(|m| m.group.as_str() == name);
    let mut names: Vec<&str> = of_group.map(|m| m.name.as_str()).collect();
    if names.is_empty() {
        let machine = instance.topology.machine(name).ok_or_else(|| no_machine(instance, name))?;
        names.push(&machine.name);
    } else if !all {
        names.truncate(1);
    }
    let inventory = instance.inventory();
    names
        .into_iter()
        .map(|name| match inventory.get(name) {
            Some(found) if found.state == MachineState::Running => Ok(found.clone()),
            _ => Err(Failure::new(
                Kind::Failed,
                "machine",
                format!("{name} of {} does not run", instance.name()),
                &format!("start it with `andamio up {}`", instance.topology.env),
            )),
        })
        .collect()
}

/// The connection to a machine.
///
/// # Errors
/// When it does not answer.
pub async fn session(instance: &Instance, machine: &Found) -> Result<Arc<Session>, Failure> {
    Ok(instance.nodes.session(machine, PATIENCE).await?)
}

/// What a shell command counts on a machine; 0 where it cannot be asked.
pub(crate) async fn count(instance: &Instance, machine: &Found, command: &str) -> u64 {
    let Ok(session) = session(instance, machine).await else { return 0 };
    let Ok(output) = session.output(command, &[]).await else { return 0 };
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
}

/// Runs a one-off in the application's image on a machine, and waits for it.
pub(crate) async fn one_off(
    instance: &Shared,
    machine: &str,
    release: &Release,
    command: &[String],
) -> Result<Output, ErrorReport> {
    let keys = instance.known_keys();
    let argv = andamio_converge::one_off(&inputs(instance, Some(release), &keys)?, None, command)
        .map_err(|e| undeclarable(&e).error)?;
    let inventory = instance.inventory();
    let found = inventory.get(machine).ok_or_else(|| {
        ErrorReport::new("machine", format!("no machine {machine}"), "run the same command again")
    })?;
    let session = instance.nodes.session(found, PATIENCE).await.map_err(|e| remote_fault(&e))?;
    session.output(&quote(&argv), &[]).await.map_err(|e| remote_fault(&e))
}

/// `exec`: on a machine, or on one of a group that runs and answers.
///
/// # Errors
/// When there is no such machine, or none of the group runs or answers.
pub async fn on(instance: &Instance, name: &str, work: Work) -> Result<Job, Failure> {
    let (machine, note) = one(instance, name).await?;
    Ok(Job { machine, work, note })
}

/// The machine of that name, or the first of the group that runs and answers; and what there is to say about it.
async fn one(instance: &Instance, name: &str) -> Result<(Found, Option<String>), Failure> {
    let group: Vec<&str> = instance
        .topology
        .machines
        .iter()
        .filter(|m| m.group.as_str() == name)
        .map(|m| &*m.name)
        .collect();
    let [first, _, ..] = group.as_slice() else {
        let found = machines(instance, name, false)?.into_iter().next();
        return found.map(|found| (found, None)).ok_or_else(|| no_machine(instance, name));
    };
    let inventory = instance.inventory();
    let running = |name: &&str| inventory.get(name).filter(|f| f.state == MachineState::Running);
    let candidates: Vec<&Found> = group.iter().filter_map(running).collect();
    let mut last = None;
    for found in &candidates {
        let patience = if candidates.len() > 1 { SHORT } else { PATIENCE };
        match instance.nodes.session(found, patience).await {
            Ok(_) => {
                let missed = &found.name != first;
                let note = missed.then(|| {
                    let why = if running(first).is_some() { "answer" } else { "run" };
                    format!("{first} does not {why}: this is {}", found.name)
                });
                return Ok(((*found).clone(), note));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(
        || {
            let message = format!("no machine of {name} of {} runs", instance.name());
            let help = format!("start them with `andamio up {}`", instance.topology.env);
            Failure::new(Kind::Failed, "machine", message, &help)
        },
        Failure::from,
    ))
}

/// `run ENV -- CMD`: in the live release's image, with what a process has; without a command that of the process.
///
/// # Errors
/// When there is no such process, nothing is live yet, or no application machine runs.
pub async fn in_app(
    instance: &Shared,
    process: Option<&str>,
    command: &[String],
) -> Result<Job, Failure> {
    let processes = &instance.request.spec.app.processes;
    let found = process.map(|name| {
        processes.get(name).ok_or_else(|| {
            let known: Vec<&str> = processes.keys().map(String::as_str).collect();
            let help = match suggest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", known.join(", ")),
            };
            Failure::new(Kind::Usage, "process", format!("no process `{name}`"), &help)
        })
    });
    let own = found.transpose()?.map(|process| process.command.as_slice());
    let command = if command.is_empty() { own.unwrap_or_default() } else { command };
    let (machine, argv, note) = app(instance, process, command).await?;
    Ok(Job { machine, work: Work::Container(argv), note })
}

/// Machine, words of the command that runs it, and what there is to say about the machine.
pub(crate) async fn app(
    instance: &Shared,
    process: Option<&str>,
    command: &[String],
) -> Result<(Found, Vec<String>, Option<String>), Failure> {
    let live = release::current(instance).await?.ok_or_else(|| no_release(instance))?;
    let release = Release::new(&live.id, &live.image);
    let keys = instance.known_keys();
    let argv =
        andamio_converge::one_off(&inputs(instance, Some(&release), &keys)?, process, command)
            .map_err(|e| undeclarable(&e))?;
    let (machine, note) = one(instance, Role::App.as_str()).await?;
    Ok((machine, argv, note))
}
