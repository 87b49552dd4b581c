//! A Galera member: where it stands, and the one start that makes a new cluster.

use super::{DATA, MARIADB, systemd};
use crate::failure::{Failure, Result};
use crate::net::mysql::Client;
use crate::{disk, process};
use andamio_manifest::GaleraState;
use std::path::Path;
use std::time::Duration;

/// Debian's unit reads it at the start, and its drop-in removes it after every start, also a failed
/// one: a flag that stayed would split the cluster at the next.
const NEW_CLUSTER: &str = "/run/mariadb-wsrep-new-cluster";
/// The server reads its log to find its last transaction.
const RECOVERY: Duration = Duration::from_secs(120);
/// A server that is not part of a cluster refuses; one that hangs is no part of one either.
const ASK: Duration = Duration::from_secs(2);
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

pub(super) async fn look(socket: &str) -> Result<GaleraState> {
    let unit = systemd().await?.unit(MARIADB).await?.active;
    let primary = tokio::time::timeout(ASK, primary(socket)).await;
    let text = read("grastate.dat")?;
    let (cluster, position) = grastate(&text);
    Ok(GaleraState {
        unit,
        primary: matches!(primary, Ok(Ok(true))),
        cluster,
        position,
        remembers: Path::new(DATA).join("gvwstate.dat").exists(),
        used: Path::new(DATA).join("binlog.index").exists(),
    })
}

async fn primary(socket: &str) -> Result<bool> {
    let mut client = Client::root(socket).await?;
    let rows = client.query("SHOW GLOBAL STATUS LIKE 'wsrep_cluster_status'").await?;
    let value = rows.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten();
    Ok(value.is_some_and(|value| value == "Primary"))
}

pub(super) async fn stop(socket: &str) -> Result<GaleraState> {
    let systemd = systemd().await?;
    systemd.job("StopUnit", MARIADB).await?;
    systemd.reset_failed(MARIADB).await;
    let mut state = look(socket).await?;
    if state.position < 0 && !state.cluster.is_empty() {
        // Killed: what the file does not know, the engine's own log does.
        let argv = ["runuser", "-u", "mysql", "--", "/usr/bin/galera_recovery"];
        let said = process::run(&argv, "", RECOVERY).await?;
        let (cluster, position) = recovered(&said)
            .ok_or_else(|| Failure::new(format!("galera_recovery says no position: {said}")))?;
        if cluster != NOBODY {
            (state.cluster, state.position) = (cluster, position);
        }
    }
    Ok(state)
}

pub(super) fn bootstrap() -> Result<()> {
    let path = Path::new(DATA).join("grastate.dat");
    if let Some(bytes) = disk::read(&path)? {
        let text = String::from_utf8_lossy(&bytes);
        let safe = text.replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1");
        if safe != text {
            write(&path, &safe)?;
        }
    }
    write(Path::new(NEW_CLUSTER), "_WSREP_NEW_CLUSTER=--wsrep-new-cluster\n")
}

/// In place: the file keeps its owner, who is the server.
fn write(path: &Path, text: &str) -> Result<()> {
    use crate::failure::Context;
    std::fs::write(path, text).during(format!("writing {}", path.display()))
}

fn read(name: &str) -> Result<String> {
    let bytes = disk::read(&Path::new(DATA).join(name))?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Cluster and position of `grastate.dat`; the position is -1 while the server runs and after a crash.
fn grastate(text: &str) -> (String, i64) {
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
    };
    let cluster = value("uuid").filter(|uuid| uuid != NOBODY).unwrap_or_default();
    (cluster, value("seqno").and_then(|n| n.parse().ok()).unwrap_or(-1))
}

/// `--wsrep_start_position=UUID:SEQNO`, with a GTID behind a comma where the cluster has some.
fn recovered(said: &str) -> Option<(String, i64)> {
    let position = said.trim().rsplit_once('=')?.1;
    let (cluster, number) = position.split(',').next()?.rsplit_once(':')?;
    Some((cluster.to_owned(), number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_positions() {
        let text = "# GALERA saved state\nversion: 2.1\nuuid:    9a-b\nseqno:   -1\nsafe_to_bootstrap: 0\n";
        assert_eq!(grastate(text), ("9a-b".to_owned(), -1));
        assert_eq!(grastate(""), (String::new(), -1));
        assert_eq!(grastate(&text.replace("9a-b", NOBODY)).0, "");
        assert_eq!(
            recovered("--wsrep_start_position=9a-b:41,1-1-41\n"),
            Some(("9a-b".to_owned(), 41))
        );
        assert_eq!(recovered("nothing"), None);
    }
}
