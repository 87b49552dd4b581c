//! Commands in an environment: on a machine, in the application's image, in the database.

use crate::failure::remote_fault;
use crate::instance::Shared;
use crate::up::{inputs, no_machine};
use crate::{Failure, Instance, Kind, release};
use andamio_converge::Release;
use andamio_engine::Fault;
use andamio_provision::{Found, MachineState};
use andamio_remote::{Output, Session, quote};
use andamio_spec::topology::Role;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

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

/// Runs a one-off in the application's image on a machine, and waits for it.
pub(crate) async fn one_off(
    instance: &Shared,
    machine: &str,
    release: &Release,
    command: &[String],
) -> Result<Output, Fault> {
    let keys = [instance.secrets.ssh_public()];
    let argv = andamio_converge::one_off(&inputs(instance, Some(release), &keys), command);
    let inventory = instance.inventory();
    let found = inventory.get(machine).ok_or_else(|| {
        Fault::new("machine", format!("no machine {machine}"), "run the same command again")
    })?;
    let session = instance.nodes.session(found, PATIENCE).await.map_err(|e| remote_fault(&e))?;
    session.output(&quote(&argv), &[]).await.map_err(|e| remote_fault(&e))
}

/// Machine and shell command of `run ENV -- CMD`: in the live release's image.
///
/// # Errors
/// When nothing is live yet.
pub async fn in_app(instance: &Shared, command: &[String]) -> Result<(Found, String), Failure> {
    let none = || {
        Failure::new(
            Kind::Failed,
            "release",
            format!("no release of the application is live in {}", instance.name()),
            &format!("bring it up with `andamio up {}`", instance.topology.env),
        )
    };
    let live = release::current(instance).await?.ok_or_else(none)?;
    let release = Release { id: live.id, image: live.image, archive: String::new() };
    let keys = [instance.secrets.ssh_public()];
    let argv = andamio_converge::one_off(&inputs(instance, Some(&release), &keys), command);
    let found = machines(instance, Role::App.as_str(), false)?.into_iter().next();
    Ok((found.ok_or_else(none)?, quote(&argv)))
}

/// Machine and shell command of `db ENV`: the MariaDB client as root over the server's own socket.
///
/// # Errors
/// When the environment has no database, or it does not run.
pub fn in_database(instance: &Instance, sql: Option<&str>) -> Result<(Found, String), Failure> {
    let none = || {
        Failure::new(
            Kind::Refused,
            "database",
            format!("{} has no MariaDB", instance.name()),
            "declare `mariadb` in the environment",
        )
    };
    if instance.topology.with_role(Role::Mariadb).next().is_none() {
        return Err(none());
    }
    let found = machines(instance, Role::Mariadb.as_str(), false)?.into_iter().next();
    let database = instance.request.spec.project.name.as_str();
    // A person thinks longer than an application between two statements.
    let patient = "--init-command=SET SESSION idle_write_transaction_timeout = 0";
    let mut argv = vec!["mariadb", "--default-character-set=utf8mb4", patient];
    if let Some(sql) = sql {
        argv.extend(["--batch", "-e", sql]);
    }
    argv.push(database);
    Ok((found.ok_or_else(none)?, quote(&argv)))
}
