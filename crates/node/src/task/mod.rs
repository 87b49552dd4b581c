//! What a member of a cluster does by itself when the operator's side, which sees all of them, says so.

mod copy;
mod galera;
mod rabbitmq;
pub(crate) mod replica;

use crate::failure::{Context, Result};
use crate::machine::systemd::Systemd;
use andamio_manifest::Task;
use serde::Serialize;
use serde_json::Value;
use std::io::Read;

/// The data of a MariaDB server.
const DATA: &str = "/var/lib/mysql";
const MARIADB: &str = "mariadb.service";

/// Reads a [`Task`], does it, and returns its answer (`null` where there is none).
///
/// # Errors
/// When it cannot be read or done; the text has no secret in it.
pub async fn task(mut input: impl Read) -> Result<Value> {
    let mut text = String::new();
    input.read_to_string(&mut text).during("reading the task")?;
    let task: Task = match serde_json::from_str(&text) {
        Ok(task) => task,
        // serde's own text may quote a value, and values may be secret.
        Err(error) => return Err(error.column()).during("the task cannot be read, column"),
    };
    match task {
        Task::GaleraLook { socket } => answer(galera::look(&socket).await?),
        Task::GaleraStop { socket } => answer(galera::stop(&socket).await?),
        Task::GaleraBootstrap => answer(galera::bootstrap()?),
        Task::ReplicaLook { socket } => answer(replica::look(&socket).await?),
        Task::ReplicaLead { socket } => answer(replica::lead(&socket).await?),
        Task::ReplicaFollow { socket, source, port, account, password } => {
            let source = replica::Source { host: source, port, account, password: password.text };
            answer(replica::follow(&socket, &source).await?)
        }
        Task::CopyReceive { listen, from, socket } => {
            answer(copy::receive(&listen, &from, &socket).await?)
        }
        Task::CopySend { to, socket } => answer(copy::send(&to, &socket).await?),
        Task::RabbitmqForget { members } => answer(rabbitmq::forget(&members).await?),
    }
}

fn answer(value: impl Serialize) -> Result<Value> {
    serde_json::to_value(value).during("writing the answer")
}

async fn systemd() -> Result<Systemd> {
    Systemd::connect().await
}
