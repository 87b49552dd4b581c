//! A server of a replicating pair. Who leads is on its disk and in no manifest, so that a promotion is
//! not undone by the next `up`, and both come back from a restart as what they were.

use crate::failure::{Context, Failure, Result};
use crate::net::mysql::{Client, literal};
use andamio_manifest::{AUTHORITY, ReplicaState};
use std::path::Path;
use std::time::{Duration, Instant};

/// Read after the file that makes every server of a pair read-only.
const ROLE: &str = "/etc/mysql/mariadb.conf.d/99-role.cnf";
const CATCH_UP: Duration = Duration::from_secs(15);

pub(super) struct Source {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) account: String,
    pub(super) password: String,
}

pub(crate) async fn look(socket: &str) -> Result<ReplicaState> {
    let mut client = Client::root(socket).await?;
    state(&mut client).await
}

async fn state(client: &mut Client) -> Result<ReplicaState> {
    let own = client
        .named("SELECT @@global.read_only AS read_only, @@global.gtid_current_pos AS position")
        .await?;
    let copies = client.named("SHOW REPLICA STATUS").await?;
    let of = |name: &str| copies.get(name).cloned().unwrap_or_default();
    let error = [of("Last_IO_Error"), of("Last_SQL_Error")];
    Ok(ReplicaState {
        follows: of("Master_Host"),
        running: of("Slave_IO_Running") == "Yes" && of("Slave_SQL_Running") == "Yes",
        writable: own.get("read_only").is_some_and(|v| v == "0" || v == "OFF"),
        position: own.get("position").cloned().unwrap_or_default(),
        error: error.into_iter().filter(|e| !e.is_empty()).collect::<Vec<_>>().join("; "),
    })
}

/// Fine is: writable and nobody's copy, or a copy that goes on.
pub(crate) async fn check(socket: &str) -> Result<()> {
    let state = look(socket).await?;
    match (state.follows.as_str(), state.writable, state.running) {
        ("", true, _) | (_, false, true) => Ok(()),
        ("", false, _) => Err(Failure::new("it is not writable and copies no other server")),
        (source, true, _) => Err(Failure::new(format!("it copies {source} and is writable"))),
        (source, false, false) => {
            Err(Failure::new(format!("it has stopped to copy {source}: {}", state.error)))
        }
    }
}

pub(super) async fn lead(socket: &str) -> Result<()> {
    let mut client = Client::root(socket).await?;
    for statement in ["STOP ALL SLAVES", "RESET SLAVE ALL"] {
        client.query(statement).await?;
    }
    role("OFF")?;
    client.query("SET GLOBAL read_only = OFF").await.map(drop)
}

pub(super) async fn follow(socket: &str, source: &Source) -> Result<()> {
    role("ON")?;
    let mut client = Client::root(socket).await?;
    client.query("SET GLOBAL read_only = ON").await?;
    client.query("STOP ALL SLAVES").await?;
    let change = format!(
        "CHANGE MASTER TO MASTER_HOST = {}, MASTER_PORT = {}, MASTER_USER = {}, \
         MASTER_PASSWORD = {}, MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1, \
         MASTER_HEARTBEAT_PERIOD = 1, MASTER_SSL = 1, MASTER_SSL_CA = {}, \
         MASTER_SSL_VERIFY_SERVER_CERT = 1",
        literal(&source.host),
        source.port,
        literal(&source.account),
        literal(&source.password),
        literal(AUTHORITY),
    );
    client.query(&change).await.during("CHANGE MASTER")?;
    client.query("START SLAVE").await?;
    let begin = Instant::now();
    loop {
        let state = state(&mut client).await?;
        if state.running {
            return Ok(());
        }
        if begin.elapsed() > CATCH_UP {
            return Err(Failure::new(format!(
                "copying {} does not begin: {}",
                source.host, state.error
            )));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn role(read_only: &str) -> Result<()> {
    let path = Path::new(ROLE);
    let text = format!("[mariadbd]\nread_only = {read_only}\n");
    // Without secrets, and read by the server under its own account.
    crate::disk::write(path, text.as_bytes(), 0o644)
}
