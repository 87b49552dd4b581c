//! Reading the whole ledger: every entry that is there, and everything that is wrong with it, by number.

use super::signature::{Judge, Signature};
use super::{GENESIS, HEADS, Ledger, LedgerError, RunRecord, SERIES, parse, parse_head};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashMap;

/// Entries are small and their number grows: what takes time is waiting for the store, so several are asked for at once. A
/// bucket answers as many side by side without slowing down.
const AT_ONCE: usize = 16;

#[derive(Debug, Clone)]
pub struct Entry {
    pub number: u64,
    pub record: RunRecord,
    pub signature: Signature,
}

/// What is wrong with some entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub first: u64,
    /// The same, where it is one entry.
    pub last: u64,
    pub wrong: Wrong,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    Missing,
    /// It is no entry.
    Garbled,
    /// Its hash is not that of its content.
    Changed,
    /// It was written behind another entry than the one before it; or the newest is not the one that was written last.
    Misplaced,
    /// Others before it are signed.
    Unsigned,
    /// The signature is not its actor's, or its actor was none.
    Forged,
    /// What says which entry is the newest cannot be read.
    Head,
}

impl Wrong {
    /// One word, for programs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Garbled => "garbled",
            Self::Changed => "changed",
            Self::Misplaced => "misplaced",
            Self::Unsigned => "unsigned",
            Self::Forged => "forged",
            Self::Head => "head",
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { first, last, wrong } = self;
        if first != last {
            // Only missing ones come in rows.
            return write!(f, "entries {first} to {last} are missing");
        }
        let says = match wrong {
            Wrong::Missing => "is missing",
            Wrong::Garbled => "is damaged: it is no entry",
            Wrong::Changed => "was changed: its hash is not that of its content",
            Wrong::Misplaced => {
                "is not what was written there: it does not go with the entries around it"
            }
            Wrong::Unsigned => "is not signed, and entries before it are: nobody answers for it",
            Wrong::Forged => "is forged: its signature is of nobody who could sign it",
            Wrong::Head => "has a damaged head: later ones may be missing",
        };
        write!(f, "entry {first} {says}")
    }
}

/// All entries that are there, oldest first, and all faults.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    pub entries: Vec<Entry>,
    pub faults: Vec<Fault>,
    /// Was an entry signed yet?
    signed: bool,
}

impl Reading {
    /// One entry a run: the newest of each, oldest run first, with the worst of its signatures.
    #[must_use]
    pub fn runs(&self) -> Vec<Entry> {
        let mut runs: Vec<Entry> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for entry in &self.entries {
            let place = *places.entry(&entry.record.run).or_insert(runs.len());
            match runs.get_mut(place) {
                Some(run) => {
                    let signature = run.signature.max(entry.signature);
                    *run = Entry { signature, ..entry.clone() };
                }
                None => runs.push(entry.clone()),
            }
        }
        runs
    }

    fn fault(&mut self, first: u64, last: u64, wrong: Wrong) {
        self.faults.push(Fault { first, last, wrong });
    }

    fn take(&mut self, number: u64, record: RunRecord, follows: bool, judge: Judge<'_>) {
        let whole = record.hash() == record.sha256;
        let signature = match (whole, record.signature.is_empty() && record.actor.is_empty()) {
            (false, _) => Signature::Bad,
            (true, true) => Signature::None,
            (true, false) if judge(number, &record) => Signature::Good,
            (true, false) => Signature::Bad,
        };
        let wrong = if !whole {
            Some(Wrong::Changed)
        } else if signature == Signature::Bad {
            Some(Wrong::Forged)
        } else if !follows {
            Some(Wrong::Misplaced)
        } else if signature == Signature::None && self.signed {
            Some(Wrong::Unsigned)
        } else {
            None
        };
        if let Some(wrong) = wrong {
            self.fault(number, number, wrong);
        }
        self.signed |= signature != Signature::None;
        self.entries.push(Entry { number, record, signature });
    }
}

impl Ledger {
    /// Reads all there is. What is wrong with an entry hides no other one.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn read(&self, judge: Judge<'_>) -> Result<Reading, LedgerError> {
        // Before the entries: what a run appends meanwhile is then no end that is missing.
        let head = self.store.newest(HEADS).await?;
        let numbers = self.store.numbers(SERIES).await?;
        let bodies = stream::iter(numbers)
            .map(|number| async move {
                Ok::<_, LedgerError>((number, self.store.read(SERIES, number).await?))
            })
            .buffered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        let mut reading = Reading::default();
        let mut last = 0;
        // Of the entry before; `None` behind one that is not there to compare with.
        let mut previous = Some(GENESIS.to_owned());
        for (number, body) in bodies {
            if number > last + 1 {
                reading.fault(last + 1, number - 1, Wrong::Missing);
                previous = None;
            }
            last = number;
            let Ok(record) = parse(number, &body) else {
                reading.fault(number, number, Wrong::Garbled);
                previous = None;
                continue;
            };
            let follows = previous.is_none_or(|previous| record.prev_sha256 == previous);
            previous = Some(record.sha256.clone());
            reading.take(number, record, follows, judge);
        }
        // An earlier version wrote no heads.
        if let Some((known, body)) = head {
            if known > last {
                reading.fault(last + 1, known, Wrong::Missing);
            }
            let at = reading.entries.iter().find(|entry| entry.number == known);
            let wrong = match parse_head(known, &body) {
                Err(_) => Some(Wrong::Head),
                Ok(head) if at.is_some_and(|e| e.record.sha256 != head.sha256) => {
                    Some(Wrong::Misplaced)
                }
                Ok(_) => None,
            };
            if let Some(wrong) = wrong.filter(|_| reading.faults.iter().all(|f| f.last != known)) {
                reading.fault(known, known, wrong);
            }
        }
        Ok(reading)
    }
}
