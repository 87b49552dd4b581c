//! The append-only record of runs: who did what, when, with what result. Each entry carries the hash
//! of the one before it, so that a changed or missing entry shows.

use crate::{Store, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const SERIES: &str = "ledger";
/// What the first entry names as its predecessor.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the ledger's chain breaks at entry {0}: it does not carry the hash of the entry before it"
    )]
    Broken(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Began, and no end is recorded: it runs, or was killed.
    Started,
    Ok,
    Failed,
    Cancelled,
    Refused,
}

/// A refusal that a person overrode, with the reason that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Code of the refusal.
    pub code: String,
    /// What it said.
    pub message: String,
    pub reason: String,
}

/// An entry. A run has two: one when it begins and one when it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    pub v: u32,
    pub run: String,
    pub verb: String,
    pub env: String,
    pub place: String,
    /// `user@host`.
    pub by: String,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub status: RunStatus,
    /// Id of the plan that was run.
    #[serde(default)]
    pub plan: String,
    #[serde(default)]
    pub changed: u32,
    #[serde(default)]
    pub message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Accepted>,
    #[serde(default)]
    pub prev_sha256: String,
    #[serde(default)]
    pub sha256: String,
}

impl RunRecord {
    fn seal(&mut self, previous: &str) {
        previous.clone_into(&mut self.prev_sha256);
        self.sha256 = self.hash();
    }

    fn hash(&self) -> String {
        let bare = Self { sha256: String::new(), ..self.clone() };
        hex::encode(Sha256::digest(serde_json::to_vec(&bare).unwrap_or_default()))
    }
}

pub struct Ledger {
    store: Store,
}

impl Ledger {
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Appends an entry behind whatever is newest.
    ///
    /// # Errors
    /// When the state cannot be read or written.
    pub async fn append(&self, mut record: RunRecord) -> Result<RunRecord, LedgerError> {
        loop {
            let (next, previous) = match self.store.newest(SERIES).await? {
                Some((number, body)) => (number + 1, parse(number, &body)?.sha256),
                None => (1, GENESIS.to_owned()),
            };
            record.seal(&previous);
            let body = serde_json::to_vec_pretty(&record).unwrap_or_default();
            if self.store.create(SERIES, next, body).await? {
                return Ok(record);
            }
        }
    }

    /// All entries, oldest first, after checking the chain.
    ///
    /// # Errors
    /// When an entry was changed or is missing.
    pub async fn entries(&self) -> Result<Vec<RunRecord>, LedgerError> {
        let mut entries: Vec<RunRecord> = Vec::new();
        let mut previous = GENESIS.to_owned();
        for number in self.store.numbers(SERIES).await? {
            let record = parse(number, &self.store.read(SERIES, number).await?)?;
            if record.prev_sha256 != previous || record.hash() != record.sha256 {
                return Err(LedgerError::Broken(number));
            }
            previous.clone_from(&record.sha256);
            entries.push(record);
        }
        Ok(entries)
    }

    /// One record a run, newest state of each, oldest run first.
    ///
    /// # Errors
    /// As [`Self::entries`].
    pub async fn runs(&self) -> Result<Vec<RunRecord>, LedgerError> {
        let mut runs: Vec<RunRecord> = Vec::new();
        for entry in self.entries().await? {
            match runs.iter_mut().find(|r| r.run == entry.run) {
                Some(run) => *run = entry,
                None => runs.push(entry),
            }
        }
        Ok(runs)
    }
}

fn parse(number: u64, body: &[u8]) -> Result<RunRecord, LedgerError> {
    serde_json::from_slice(body)
        .map_err(|e| StoreError::Garbled(format!("ledger entry {number}"), e.to_string()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: &str, accepted: Vec<Accepted>) -> RunRecord {
        RunRecord {
            v: 1,
            run: run.to_owned(),
            verb: "up".to_owned(),
            env: "prod".to_owned(),
            place: "local".to_owned(),
            by: "marta@desk".to_owned(),
            started: Timestamp::UNIX_EPOCH,
            ended: None,
            status: RunStatus::Started,
            plan: String::new(),
            changed: 0,
            message: String::new(),
            accepted,
            prev_sha256: String::new(),
            sha256: String::new(),
        }
    }

    #[tokio::test]
    async fn what_was_overridden_stays_in_the_chain() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(Store::directory(folder.path()).unwrap().instance("prod@local"));
        let accepted = Accepted {
            code: "budget".to_owned(),
            message: "5.01 over".to_owned(),
            reason: "agreed with Marta".to_owned(),
        };
        ledger.append(record("1", Vec::new())).await.unwrap();
        ledger.append(record("2", vec![accepted.clone()])).await.unwrap();
        let runs = ledger.runs().await.unwrap();
        assert_eq!(runs[1].accepted, [accepted]);
        // An entry without any reads, and hashes, as it did before there was such a thing.
        let text = serde_json::to_string(&runs[0]).unwrap();
        assert!(!text.contains("accepted"), "{text}");
    }
}
