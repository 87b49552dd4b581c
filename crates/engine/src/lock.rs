//! One lock an instance, as a numbered series of records: the newest one says who holds it. Taking,
//! renewing and releasing are each a create-if-absent of the next number.

mod lease;

pub use lease::Lease;

use crate::{Store, StoreError};
use jiff::Timestamp;
use lease::Moment;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

const SERIES: &str = "lock";
/// After this long without a renewal a holder on another machine counts as dead. One on this machine
/// is looked up among its processes, without waiting.
const EXPIRY: Duration = Duration::from_secs(60);
const RENEW: Duration = Duration::from_secs(20);
/// How many records are kept behind the newest. Whoever lists them while others take and release the
/// lock then always sees one that is newer than its own.
const KEEP: u64 = 16;

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("locked by {} for `{}` since {}{}", .0.holder.by, .0.purpose, .0.since, .0.oddity())]
    Held(Box<LockRecord>),
    /// Who holds it cannot be told.
    #[error("record {0} of the lock is not what this version wrote: {1}")]
    Garbled(u64, String),
}

/// Who holds a lock, well enough to see whether that process is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `user@host`, for people.
    pub by: String,
    /// The kernel's boot id: equal means the same machine since the same start.
    pub boot: String,
    pub pid: u32,
    /// Start of the process in clock ticks since boot, so that a reused pid is not taken for it.
    pub pid_start: u64,
    /// The kernel's name of the process numbers that `pid` is one of: a container has its own.
    #[serde(default)]
    pub pid_space: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRecord {
    pub v: u32,
    pub holder: Holder,
    /// The command: `up dev@local`.
    pub purpose: String,
    pub since: Timestamp,
    pub expires: Timestamp,
    pub released: bool,
}

/// A held lock; renews itself until it is released or dropped.
pub struct Lock {
    store: Store,
    record: LockRecord,
    number: Arc<Mutex<u64>>,
    lease: Lease,
    renewal: JoinHandle<()>,
}

impl Holder {
    /// This process.
    #[must_use]
    pub fn current(by: &str) -> Self {
        let pid = std::process::id();
        Self {
            by: by.to_owned(),
            boot: boot_id(),
            pid,
            pid_start: pid_start(pid).unwrap_or(0),
            pid_space: pid_space(),
        }
    }

    /// Known to be dead. Whose numbers are not ours cannot be looked up; that one's lock expires.
    fn dead(&self) -> bool {
        self.boot == boot_id()
            && self.pid_space == pid_space()
            && pid_start(self.pid) != Some(self.pid_start)
    }
}

impl LockRecord {
    /// Is it a renewal of that one?
    fn is_of(&self, taken: &Self) -> bool {
        !self.released && self.holder == taken.holder && self.since == taken.since
    }

    /// Taken at a time that has not come yet: such a lock expires late, or never.
    #[must_use]
    pub fn from_the_future(&self) -> bool {
        self.since > expiry(crate::now())
    }

    /// Stands for a record that cannot be read.
    fn unknown() -> Self {
        let holder = Holder {
            by: "somebody unknown".to_owned(),
            boot: String::new(),
            pid: 0,
            pid_start: 0,
            pid_space: String::new(),
        };
        let now = crate::now();
        Self { v: 1, holder, purpose: String::new(), since: now, expires: now, released: false }
    }

    fn oddity(&self) -> &'static str {
        if self.from_the_future() {
            ", a time that has not come yet here: one of the two clocks is wrong"
        } else {
            ""
        }
    }
}

impl Lock {
    /// Takes the lock, or says who has it. `Some(record)` is the dead holder it was taken from.
    ///
    /// # Errors
    /// [`LockError::Held`] when a live holder has it.
    pub async fn take(
        store: &Store,
        holder: Holder,
        purpose: &str,
    ) -> Result<(Self, Option<LockRecord>), LockError> {
        loop {
            let newest = read_newest(store).await?;
            let now = crate::now();
            let (next, former) = match newest {
                None => (1, None),
                Some((number, record)) if record.released => (number + 1, None),
                Some((number, record)) if record.holder.dead() || record.expires < now => {
                    (number + 1, Some(record))
                }
                Some((_, record)) => return Err(LockError::Held(Box::new(record))),
            };
            let record = LockRecord {
                v: 1,
                holder: holder.clone(),
                purpose: purpose.to_owned(),
                since: now,
                expires: expiry(now),
                released: false,
            };
            let lease = Lease::new(Moment::after(EXPIRY));
            if !create(store, next, &record).await? {
                // Somebody was faster: look again who it is.
                continue;
            }
            store.forget_below(SERIES, next.saturating_sub(KEEP)).await?;
            let number = Arc::new(Mutex::new(next));
            let renewal = tokio::spawn(renew(
                store.clone(),
                record.clone(),
                Arc::clone(&number),
                lease.clone(),
            ));
            return Ok((Self { store: store.clone(), record, number, lease, renewal }, former));
        }
    }

    /// The command that holds it: `up dev@local`.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.record.purpose
    }

    /// Whether it is still held: for whoever works under it.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// Gives it back.
    ///
    /// # Errors
    /// When the state cannot be written; the lock then ends with this process anyway.
    pub async fn release(self) -> Result<(), LockError> {
        self.renewal.abort();
        let mut number = *self.number.lock().await;
        let record = LockRecord { released: true, ..self.record.clone() };
        while !self.store.create(SERIES, number + 1, body(&record)).await? {
            match read_newest(&self.store).await? {
                // A renewal that was stopped after it had come through.
                Some((newest, ours)) if newest > number && ours.is_of(&self.record) => {
                    number = newest;
                }
                // Taken over: it is not ours to give back.
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Who holds it now, if anybody does.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn holder(store: &Store) -> Result<Option<LockRecord>, LockError> {
        let newest = read_newest(store).await?.map(|(_, record)| record);
        Ok(newest.filter(|r| !r.released && !r.holder.dead() && r.expires >= crate::now()))
    }

    /// Ends somebody's lock by hand (`unlock`), also one whose record is damaged; what it was, if there
    /// was one.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn force(store: &Store) -> Result<Option<LockRecord>, LockError> {
        loop {
            let (number, record) = match read_newest(store).await {
                Ok(Some((number, record))) if !record.released => (number, record),
                Ok(_) => break,
                Err(LockError::Garbled(number, _)) => (number, LockRecord::unknown()),
                Err(error) => return Err(error),
            };
            let ended = LockRecord { released: true, ..record.clone() };
            // A renewal may have been faster.
            if create(store, number + 1, &ended).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn renew(store: Store, record: LockRecord, number: Arc<Mutex<u64>>, lease: Lease) {
    loop {
        tokio::time::sleep(RENEW).await;
        let until = Moment::after(EXPIRY);
        let renewed = LockRecord { expires: expiry(crate::now()), ..record.clone() };
        let mut held = number.lock().await;
        // A failed write is tried again at the next turn; two in a row fit into the expiry.
        match create(&store, *held + 1, &renewed).await {
            Ok(true) => {
                *held += 1;
                lease.extend(until);
                let _ = store.forget_below(SERIES, held.saturating_sub(KEEP)).await;
            }
            // It had expired, and somebody else has it.
            Ok(false) => return lease.end(),
            Err(_) => {}
        }
    }
}

/// Creates the next record; true when it is the newest then. A number that was forgotten can be
/// created again by somebody who was stopped in between: that one is behind, and has lost.
async fn create(store: &Store, number: u64, record: &LockRecord) -> Result<bool, StoreError> {
    Ok(store.create(SERIES, number, body(record)).await?
        && store.last(SERIES).await? == Some(number))
}

async fn read_newest(store: &Store) -> Result<Option<(u64, LockRecord)>, LockError> {
    let Some((number, bytes)) = store.newest(SERIES).await? else { return Ok(None) };
    let record =
        serde_json::from_slice(&bytes).map_err(|e| LockError::Garbled(number, e.to_string()))?;
    Ok(Some((number, record)))
}

fn expiry(now: Timestamp) -> Timestamp {
    now.saturating_add(EXPIRY).unwrap_or(now)
}

fn body(record: &LockRecord) -> Vec<u8> {
    serde_json::to_vec_pretty(record).unwrap_or_default()
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Field 22 of /proc/PID/stat, counted after the command name, which may hold spaces. `None` also for
/// a process that has ended and that its parent has not asked about yet.
fn pid_start(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// `pid:[4026531836]`: this process's numbers are those of this namespace (pid_namespaces(7)).
fn pid_space() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
