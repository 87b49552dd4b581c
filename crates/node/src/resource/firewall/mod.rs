//! The table `inet andamio`: replaced whole and at once, kept in /etc/nftables.d/andamio.nft (0600)
//! for the next boot, and undone unless the operator confirms it over a second connection.
//!
//! nft does not print a ruleset as it was written, so what is compared is its own answer: after a
//! change the live table is stored, without handles and counters, beside the digest of the source.
//! Drift is a live table other than the stored one, or a source other than the applied one.

mod canonical;

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Context, Result};
use crate::machine::Machine;
use crate::operator::confirm;
use crate::{STATE, disk, process};
use andamio_manifest::Firewall;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The source of the live table, loaded at boot by a unit that the manifest declares.
pub(crate) const SOURCE: &str = "/etc/nftables.d/andamio.nft";
const NFT: Duration = Duration::from_secs(20);
/// Replaces the table in the same transaction, whether it exists or not.
const REPLACE: &str = "table inet andamio {}\ndelete table inet andamio\n";

/// What was live after the last change.
#[derive(Serialize, Deserialize)]
struct Applied {
    /// SHA-256 of the source, in hex.
    digest: String,
    /// The live table: JSON objects, one a line, without handles and counters.
    live: String,
    /// The same as nft writes it for people.
    text: String,
}

impl Resource for Firewall {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let mut diff = Diff::default();
        let applied = Applied::read()?;
        let live = match live_json().await {
            // nft comes with a package that is not there yet.
            Err(_) if machine.comes_later() => None,
            live => live?,
        };
        let source = disk::read(Path::new(SOURCE))?;
        let source = source.map(|s| String::from_utf8_lossy(&s).into_owned()).unwrap_or_default();
        if source != self.ruleset {
            diff.text(&source, &self.ruleset);
        } else if let (Some(applied), Some(live)) = (&applied, &live) {
            if applied.live != *live {
                let now = live_text().await?.unwrap_or_default();
                diff.text(&now, &applied.text);
                if diff.is_empty() {
                    diff.remark("the live table differs from the one that was applied");
                }
            }
        } else if live.is_none() {
            diff.plus("table inet andamio (it is not loaded)");
        }
        if diff.is_empty() && applied.is_none_or(|applied| applied.digest != digest(&self.ruleset))
        {
            diff.remark("it is not known whether the live table is the declared one");
        }
        if diff.is_empty()
            && let Some((token, _)) = confirm::pending()?
            && machine.unconfirmed.as_ref() != Some(&token)
        {
            // The run that changed it was killed before its operator knew the token.
            diff.remark("its last change is not confirmed");
        }
        Ok(diff)
    }

    async fn prepare(&self, _: &mut Machine) -> Result<()> {
        let script = format!("{REPLACE}{}", self.ruleset);
        process::run(&["nft", "--check", "-f", "-"], &script, NFT).await.map(drop)
    }

    async fn make(&self, machine: &mut Machine, say: &Say) -> Result<String> {
        let script = format!("{REPLACE}{}", self.ruleset);
        let folder = Path::new(SOURCE).parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).during(format!("creating {}", folder.display()))?;
        let previous = match confirm::pending()? {
            // What a second connection never confirmed is nothing to go back to.
            Some((_, previous)) => previous,
            None => confirm::Previous {
                table: live_text().await?,
                source: disk::read(Path::new(SOURCE))?
                    .map(|source| String::from_utf8_lossy(&source).into_owned()),
            },
        };
        // The guard stands before the change: a kill in between leaves nobody locked out.
        let token = confirm::guard(&previous)?;
        say.say("replacing the table");
        if let Err(failure) = process::run(&["nft", "-f", "-"], &script, NFT).await {
            confirm::cancel(&token);
            return Err(failure);
        }
        disk::write(Path::new(SOURCE), self.ruleset.as_bytes(), 0o600)?;
        let applied = Applied {
            digest: digest(&self.ruleset),
            live: live_json().await?.unwrap_or_default(),
            text: live_text().await?.unwrap_or_default(),
        };
        let bytes = serde_json::to_vec(&applied).during("writing the firewall's state")?;
        disk::write_state(&Applied::path(), &bytes)?;
        let message = format!("confirm:{token}");
        machine.unconfirmed = Some(token);
        Ok(message)
    }

    fn doing(&self) -> String {
        "firewall".to_owned()
    }
}

impl Applied {
    fn path() -> PathBuf {
        Path::new(STATE).join("firewall.json")
    }

    fn read() -> Result<Option<Self>> {
        // One that cannot be read is as good as none: the table is applied again.
        Ok(disk::read(&Self::path())?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}

/// Puts back what was live before an unconfirmed change.
pub(crate) async fn restore(previous: &confirm::Previous) -> Result<()> {
    let table = previous.table.as_deref().unwrap_or_default();
    process::run(&["nft", "-f", "-"], &format!("{REPLACE}{table}"), NFT).await?;
    // The next apply has to see that the declared table is not live.
    disk::remove(&Applied::path())?;
    match &previous.source {
        Some(source) => disk::write(Path::new(SOURCE), source.as_bytes(), 0o600),
        None => disk::remove(Path::new(SOURCE)),
    }
}

async fn live_json() -> Result<Option<String>> {
    let json = list(&["nft", "-j", "list", "table", "inet", "andamio"]).await?;
    json.map(|json| canonical::lines(&json)).transpose()
}

/// Without counters.
async fn live_text() -> Result<Option<String>> {
    list(&["nft", "-s", "list", "table", "inet", "andamio"]).await
}

async fn list(argv: &[&str]) -> Result<Option<String>> {
    match process::run(argv, "", NFT).await {
        Ok(output) => Ok(Some(output)),
        Err(failure) if failure.to_string().contains("No such file or directory") => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn digest(ruleset: &str) -> String {
    hex::encode(Sha256::digest(ruleset))
}
