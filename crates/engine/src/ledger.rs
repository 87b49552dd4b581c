//! The append-only record of runs: who did what, when, with what result. Each entry carries the hash
//! of the one before it, so that a changed or missing entry shows. A series of heads beside it says
//! which entry was the newest and what its hash was, so that entries missing at the end show too.
//!
//! An entry is written before its head, and nothing is appended behind an entry without a head: a kill
//! between the two leaves one entry more than heads know of, and the next append gives it its head.
//! Entries and heads lie in one state and have no key: whoever can write both can still shorten both.

use crate::{Store, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const SERIES: &str = "ledger";
/// As many heads as entries are written; only the newest are kept.
const HEADS: &str = "ledger-head";
const HEADS_KEPT: u64 = 2;
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
    #[error(
        "the ledger ends at entry {last} and had {known}: its newest entries are missing or were changed"
    )]
    Short { last: u64, known: u64 },
}

/// What the newest entry was.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    v: u32,
    sha256: String,
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
    /// The first entry of a run: what is meant to be done.
    #[must_use]
    pub fn begin(verb: &str, env: &str, place: &str, by: &str) -> Self {
        Self {
            v: 1,
            run: crate::run_id(),
            verb: verb.to_owned(),
            env: env.to_owned(),
            place: place.to_owned(),
            by: by.to_owned(),
            started: crate::now(),
            ended: None,
            status: RunStatus::Started,
            plan: String::new(),
            changed: 0,
            message: String::new(),
            accepted: Vec::new(),
            prev_sha256: String::new(),
            sha256: String::new(),
        }
    }

    /// The last entry, or the only one of what is done in one go.
    #[must_use]
    pub fn end(self, status: RunStatus, changed: u32, message: &str) -> Self {
        Self { ended: Some(crate::now()), status, changed, message: message.to_owned(), ..self }
    }

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
    /// When the state cannot be read or written, or its newest entries are missing.
    pub async fn append(&self, mut record: RunRecord) -> Result<RunRecord, LedgerError> {
        loop {
            let (last, previous) = match self.store.newest(SERIES).await? {
                Some((number, body)) => (number, parse(number, &body)?.sha256),
                None => (0, GENESIS.to_owned()),
            };
            let known = self.store.last(HEADS).await?.unwrap_or(0);
            if known > last {
                // Heads are written after entries: one that was written since the entries were
                // listed has its entry by now.
                match self.store.last(SERIES).await?.unwrap_or(0) {
                    now if now >= known => continue,
                    now => return Err(LedgerError::Short { last: now, known }),
                }
            }
            if known < last {
                self.head(last, &previous).await?;
            }
            record.seal(&previous);
            let body = serde_json::to_vec_pretty(&record).unwrap_or_default();
            if self.store.create(SERIES, last + 1, body).await? {
                self.head(last + 1, &record.sha256).await?;
                return Ok(record);
            }
        }
    }

    /// Notes which entry is the newest. Somebody who appends next may have done it already.
    async fn head(&self, number: u64, sha256: &str) -> Result<(), LedgerError> {
        let head = Head { v: 1, sha256: sha256.to_owned() };
        let body = serde_json::to_vec_pretty(&head).unwrap_or_default();
        self.store.create(HEADS, number, body).await?;
        self.store.forget_below(HEADS, (number + 1).saturating_sub(HEADS_KEPT)).await?;
        Ok(())
    }

    /// All entries, oldest first, after checking the chain and its end.
    ///
    /// # Errors
    /// When an entry was changed or is missing.
    pub async fn entries(&self) -> Result<Vec<RunRecord>, LedgerError> {
        // Before the entries: what a run appends meanwhile is then no end that is missing.
        let head = self.store.newest(HEADS).await?;
        let mut entries: Vec<RunRecord> = Vec::new();
        let mut previous = GENESIS.to_owned();
        let mut last = 0;
        let mut headed = false;
        for number in self.store.numbers(SERIES).await? {
            let record = parse(number, &self.store.read(SERIES, number).await?)?;
            if record.prev_sha256 != previous || record.hash() != record.sha256 {
                return Err(LedgerError::Broken(number));
            }
            if let Some((_, body)) = head.as_ref().filter(|(known, _)| *known == number) {
                headed = parse_head(number, body)?.sha256 == record.sha256;
            }
            previous.clone_from(&record.sha256);
            last = number;
            entries.push(record);
        }
        match head {
            Some((known, _)) if !headed => Err(LedgerError::Short { last, known }),
            // An earlier version wrote no heads.
            _ => Ok(entries),
        }
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

fn parse_head(number: u64, body: &[u8]) -> Result<Head, LedgerError> {
    serde_json::from_slice(body)
        .map_err(|e| StoreError::Garbled(format!("ledger head {number}"), e.to_string()).into())
}

#[cfg(test)]
mod tests;
