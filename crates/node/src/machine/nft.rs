//! The table `inet andamio`: as it is live, as it was last applied, and as the next boot loads it.
//!
//! nft does not print a ruleset as it was written, so what is remembered of an applied one is nft's own answer,
//! without handles and counters, beside the digest of the source.

mod canonical;

use crate::failure::{Context, Result};
use crate::{STATE, disk, process};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The source of the live table, loaded at boot by a unit that the manifest declares.
pub(crate) const SOURCE: &str = "/etc/nftables.d/andamio.nft";
const NFT: Duration = Duration::from_secs(20);
/// Replaces the table in the same transaction, whether it exists or not.
const REPLACE: &str = "table inet andamio {}\ndelete table inet andamio\n";

/// What was live after the last change.
#[derive(Serialize, Deserialize)]
pub(crate) struct Applied {
    /// SHA-256 of the source, in hex.
    digest: String,
    /// The live table: JSON objects, one a line, without handles and counters.
    pub(crate) live: String,
    /// The same as nft writes it for people.
    pub(crate) text: String,
}

/// What was live before a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Previous {
    /// The table in nft's language; `None` when there was none.
    table: Option<String>,
    /// Content of the file that is loaded at boot.
    source: Option<String>,
}

impl Applied {
    /// Writes down that the live table is the one of this source.
    pub(crate) async fn note(ruleset: &str) -> Result<()> {
        let applied = Self {
            digest: digest(ruleset),
            live: live_json().await?.unwrap_or_default(),
            text: live_text().await?.unwrap_or_default(),
        };
        let bytes = serde_json::to_vec(&applied).during("writing the firewall's state")?;
        disk::write_state(&Self::path(), &bytes)
    }

    pub(crate) fn read() -> Result<Option<Self>> {
        // One that cannot be read is as good as none: the table is applied again.
        Ok(disk::read(&Self::path())?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub(crate) fn is_of(&self, ruleset: &str) -> bool {
        self.digest == digest(ruleset)
    }

    fn path() -> PathBuf {
        Path::new(STATE).join("firewall.json")
    }
}

impl Previous {
    pub(crate) async fn read() -> Result<Self> {
        Ok(Self { table: live_text().await?, source: source()? })
    }

    /// Puts it back after an unconfirmed change.
    pub(crate) async fn restore(&self) -> Result<()> {
        replace(self.table.as_deref().unwrap_or_default()).await?;
        // The next apply has to see that the declared table is not live.
        disk::remove(&Applied::path())?;
        match &self.source {
            Some(source) => disk::write(Path::new(SOURCE), source.as_bytes(), 0o600),
            None => disk::remove(Path::new(SOURCE)),
        }
    }
}

/// Whether nft would take a table; changes nothing.
pub(crate) async fn judge(table: &str) -> Result<()> {
    let script = format!("{REPLACE}{table}");
    process::run(&["nft", "--check", "-f", "-"], &script, NFT).await.map(drop)
}

/// Makes a table the live one, whole and at once.
pub(crate) async fn replace(table: &str) -> Result<()> {
    process::run(&["nft", "-f", "-"], &format!("{REPLACE}{table}"), NFT).await.map(drop)
}

/// What the next boot loads.
pub(crate) fn source() -> Result<Option<String>> {
    let source = disk::read(Path::new(SOURCE))?;
    Ok(source.map(|source| String::from_utf8_lossy(&source).into_owned()))
}

pub(crate) async fn live_json() -> Result<Option<String>> {
    let json = list(&["nft", "-j", "list", "table", "inet", "andamio"]).await?;
    json.map(|json| canonical::lines(&json)).transpose()
}

/// Without counters.
pub(crate) async fn live_text() -> Result<Option<String>> {
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
