//! A change that could cut the operator off undoes itself unless it is confirmed.
//!
//! Before the change, what was live is written to `/run/andamio/undo-TOKEN`, and a process of its own
//! session is started that waits. Confirming renames that file to `confirmed-TOKEN`; undoing renames
//! it to `undone-TOKEN`. A rename has one winner, so a change is either confirmed or undone.

use crate::failure::{Context, Failure, Result};
use crate::machine::nft::Previous;
use crate::{RUNTIME, disk};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Time for a second connection; fifteen machines over a slow line need less than half of it.
const AFTER: &str = "20s";

/// How [`undo_firewall`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reverted {
    /// The operator confirmed; nothing was undone.
    Confirmed,
    /// A later change took the place of this one; that one has a guard of its own.
    Superseded,
    /// What was live before is live again.
    Undone,
}

/// Confirms a change: its token came in the event, as `confirm`.
///
/// # Errors
/// When no such change waits: it was undone before, or the token is wrong.
pub fn confirm(token: &str) -> Result<()> {
    let [undo, confirmed, _] = paths(token)?;
    match fs::rename(&undo, &confirmed) {
        Ok(()) => Ok(()),
        Err(_) if confirmed.exists() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Failure::new("the change was undone before it was confirmed: apply it again"))
        }
        Err(error) => Err(error).during("confirming the change"),
    }
}

/// Waits for the confirmation of a change, and undoes it when `after` has passed without.
/// Runs in the process that the node starts as `/proc/self/exe node undo-firewall --after 20s
/// --token TOKEN`; leaves the session of its caller, so that it outlives the connection.
///
/// # Errors
/// When the former ruleset cannot be restored.
pub async fn undo_firewall(token: &str, after: Duration) -> Result<Reverted> {
    // Fails only for the leader of a group, which is what it is to become.
    let _ = nix::unistd::setsid();
    let [undo, confirmed, undone] = paths(token)?;
    let begin = Instant::now();
    while begin.elapsed() < after {
        if confirmed.exists() {
            return Ok(Reverted::Confirmed);
        }
        if fs::read_to_string(current()).is_ok_and(|current| current != token) {
            disk::remove(&undo)?;
            return Ok(Reverted::Superseded);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let previous = disk::read(&undo)?.unwrap_or_default();
    match fs::rename(&undo, &undone) {
        Ok(()) => {}
        Err(_) if confirmed.exists() => return Ok(Reverted::Confirmed),
        Err(error) => return Err(error).during("undoing the change"),
    }
    let previous: Previous =
        serde_json::from_slice(&previous).during("reading what was live before")?;
    previous.restore().await?;
    Ok(Reverted::Undone)
}

/// The change that still waits for its confirmation, and what was live before it.
pub(crate) fn pending() -> Result<Option<(String, Previous)>> {
    let Some(token) = disk::read(&current())? else { return Ok(None) };
    let token = String::from_utf8_lossy(&token).into_owned();
    let [undo, _, _] = paths(&token)?;
    let Some(bytes) = disk::read(&undo)? else { return Ok(None) };
    let previous = serde_json::from_slice(&bytes).during("reading what was live before")?;
    Ok(Some((token, previous)))
}

/// Writes down what is live and starts the guard; returns the token of the change.
pub(crate) fn guard(previous: &Previous) -> Result<String> {
    let token = token();
    let [undo, _, _] = paths(&token)?;
    let bytes = serde_json::to_vec(previous).during("writing what is live")?;
    disk::write_state(&undo, &bytes)?;
    disk::write_state(&current(), token.as_bytes())?;
    Command::new("/proc/self/exe")
        .args(["node", "undo-firewall", "--after", AFTER, "--token", &token])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .during("starting the guard of the firewall")?;
    Ok(token)
}

/// Ends the guard of a change that was not made.
pub(crate) fn cancel(token: &str) {
    // A guard that cannot be told restores what is live anyway.
    let _ = confirm(token);
}

fn current() -> PathBuf {
    Path::new(RUNTIME).join("firewall-token")
}

/// Files of a change: waiting, confirmed, undone.
fn paths(token: &str) -> Result<[PathBuf; 3]> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::new("a token is a hexadecimal number"));
    }
    Ok(["undo", "confirmed", "undone"]
        .map(|state| Path::new(RUNTIME).join(format!("{state}-{token}"))))
}

/// Names a change; it need not be secret, only root can confirm.
fn token() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = format!("{:?} {}", now.unwrap_or_default(), std::process::id());
    hex::encode(&Sha256::digest(seed)[..8])
}
