//! The append-only record of runs: who did what, when, with what result. Each entry carries the hash
//! of the one before it, so that a changed or missing entry shows. A series of heads beside it says
//! which entry was the newest and what its hash was, so that entries missing at the end show too.
//!
//! An entry is written before its head, and nothing is appended behind an entry without a head: a kill
//! between the two leaves one entry more than heads know of, and the next append gives it its head.
//! Entries are signed with the key of whoever writes them, over a hash that covers all entries before. Heads have no
//! key: whoever can write both can still shorten both, and nothing else without being named.

mod reading;
mod signature;

pub use reading::{Entry, Fault, Reading, Wrong};
pub use signature::{Judge, Signature, Signer};

use crate::{Store, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

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
    /// Public half of the key that it is signed with; empty in entries from before there were signatures. The hash
    /// covers it, so that a signature cannot go without a trace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    #[serde(default)]
    pub prev_sha256: String,
    #[serde(default)]
    pub sha256: String,
    /// Of `sha256`, by the actor.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signature: String,
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
            actor: String::new(),
            prev_sha256: String::new(),
            sha256: String::new(),
            signature: String::new(),
        }
    }

    /// The last entry, or the only one of what is done in one go.
    #[must_use]
    pub fn end(self, status: RunStatus, changed: u32, message: &str) -> Self {
        Self { ended: Some(crate::now()), status, changed, message: message.to_owned(), ..self }
    }

    fn seal(&mut self, previous: &str, signer: Option<&dyn Signer>) {
        previous.clone_into(&mut self.prev_sha256);
        self.actor = signer.map(Signer::actor).unwrap_or_default();
        self.sha256 = self.hash();
        self.signature = signer.map(|signer| signer.sign(&self.sha256)).unwrap_or_default();
    }

    /// Of all but itself and the signature, which is of the hash. Fields that came later are left out where they are
    /// empty: entries from before them keep their hash.
    fn hash(&self) -> String {
        let bare = Self { sha256: String::new(), signature: String::new(), ..self.clone() };
        hex::encode(Sha256::digest(serde_json::to_vec(&bare).unwrap_or_default()))
    }
}

pub struct Ledger {
    store: Store,
    signer: Option<Arc<dyn Signer>>,
}

impl Ledger {
    /// To read it. What is appended is not signed.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, signer: None }
    }

    /// Entries that are appended are this one's.
    #[must_use]
    pub fn signed(self, signer: Arc<dyn Signer>) -> Self {
        Self { signer: Some(signer), ..self }
    }

    /// The number of the newest entry; 0 where there is none.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn last(&self) -> Result<u64, LedgerError> {
        Ok(self.store.last(SERIES).await?.unwrap_or(0))
    }

    /// Appends an entry behind whatever is newest.
    ///
    /// # Errors
    /// When the state cannot be read or written, or its newest entries are missing.
    pub async fn append(&self, mut record: RunRecord) -> Result<RunRecord, LedgerError> {
        loop {
            let (last, previous) = self.newest().await?;
            record.seal(&previous, self.signer.as_deref());
            let body = serde_json::to_vec_pretty(&record).unwrap_or_default();
            if self.store.create(SERIES, last + 1, body).await? {
                self.head(last + 1, &record.sha256).await?;
                return Ok(record);
            }
            // Somebody else was there first; or they were killed before they wrote its head.
            if let Some(body) = self.store.find(SERIES, last + 1).await? {
                let other = parse(last + 1, &body)?;
                self.head(last + 1, &other.sha256).await?;
            }
        }
    }

    /// Number and hash of the newest entry that has a head. Only two heads are kept, so this lists few names, however
    /// long the ledger is.
    async fn newest(&self) -> Result<(u64, String), LedgerError> {
        let Some(known) = self.store.last(HEADS).await? else {
            // The first entry, or an earlier version's, which wrote no heads.
            let Some((last, body)) = self.store.newest(SERIES).await? else {
                return Ok((0, GENESIS.to_owned()));
            };
            let sha256 = parse(last, &body)?.sha256;
            self.head(last, &sha256).await?;
            return Ok((last, sha256));
        };
        match self.store.find(SERIES, known).await? {
            Some(body) => Ok((known, parse(known, &body)?.sha256)),
            None => Err(LedgerError::Short { last: self.last().await?, known }),
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
