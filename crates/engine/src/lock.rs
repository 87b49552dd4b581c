//! A lock for each scope of an instance, as a numbered series of records: the newest one says who holds it. Taking,
//! renewing and releasing are each a create-if-absent of the next number.
//!
//! Whether a holder is gone is never told by comparing two machines' clocks. One on this machine is looked up among its
//! processes, and its lock expires by the time since this machine's start. For one elsewhere both times are the store's.

mod holder;
mod lease;

pub use holder::Holder;
pub use lease::Lease;

use crate::{Store, StoreError};
use jiff::Timestamp;
use lease::{Moment, uptime};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// After this long without a renewal a holder counts as dead.
const EXPIRY: Duration = Duration::from_secs(60);
const RENEW: Duration = Duration::from_secs(20);
/// The times of a store may be whole seconds.
const COARSE: Duration = Duration::from_secs(2);
/// From one look to the next of whoever waits, at a folder and at a bucket.
const LOOK: Duration = Duration::from_millis(200);
const REMOTE_LOOK: Duration = Duration::from_secs(2);
/// How many records are kept behind the newest. Whoever lists them while others take and release the
/// lock then always sees one that is newer than its own.
const KEEP: u64 = 16;

/// What a lock keeps others from. Who needs several takes them in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Changing machines and what is on them.
    Converge,
    /// Bringing another release of the application, however long it is watched.
    Release,
    Backup,
    Restore,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Converge, Self::Release, Self::Backup, Self::Restore];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Converge => "converge",
            Self::Release => "release",
            Self::Backup => "backup",
            Self::Restore => "restore",
        }
    }

    /// The first had no scopes.
    fn series(self) -> &'static str {
        match self {
            Self::Converge => "lock",
            Self::Release => "lock-release",
            Self::Backup => "lock-backup",
            Self::Restore => "lock-restore",
        }
    }
}

/// How long somebody is ready to wait for a lock that is held, and who is told about it.
pub struct Wait<'a> {
    pub most: Duration,
    /// Called for every holder that is waited for.
    pub told: &'a (dyn Fn(&LockRecord) + Sync),
}

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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRecord {
    pub v: u32,
    pub holder: Holder,
    /// The command: `up dev@local`.
    pub purpose: String,
    pub since: Timestamp,
    /// By the holder's clock: for people, and for versions that go by it.
    pub expires: Timestamp,
    /// Seconds since the holder's machine was started; 0 where it does not tell.
    #[serde(default)]
    pub expires_uptime_s: u64,
    pub released: bool,
}

/// A held lock; renews itself until it is released or dropped.
pub struct Lock {
    store: Store,
    scope: Scope,
    record: LockRecord,
    number: Arc<Mutex<u64>>,
    lease: Lease,
    renewal: JoinHandle<()>,
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
        Self::new(Holder::unknown(), String::new())
    }

    fn new(holder: Holder, purpose: String) -> Self {
        let since = crate::now();
        let taken = Self {
            v: 1,
            holder,
            purpose,
            since,
            expires: since,
            expires_uptime_s: 0,
            released: false,
        };
        taken.renewed()
    }

    fn renewed(&self) -> Self {
        let uptime = uptime().map_or(0, |now| (now + EXPIRY).as_secs());
        Self { expires: expiry(crate::now()), expires_uptime_s: uptime, ..self.clone() }
    }

    /// Nobody has it any more, as far as this machine alone can tell.
    fn is_over(&self) -> bool {
        let expired = || match (self.expires_uptime_s, uptime()) {
            (0, _) | (_, None) => self.expires < crate::now(),
            (expires, Some(now)) => now.as_secs() > expires,
        };
        self.released || self.holder.dead() || self.holder.is_here() && expired()
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
    /// [`LockError::Held`] when a live holder has it, at once or after the wait.
    pub async fn take(
        store: &Store,
        scope: Scope,
        holder: Holder,
        purpose: &str,
        wait: Option<&Wait<'_>>,
    ) -> Result<(Self, Option<LockRecord>), LockError> {
        let begun = Instant::now();
        let mut told = None;
        loop {
            let held = match Self::try_take(store, scope, &holder, purpose).await {
                Err(LockError::Held(record)) => record,
                result => return result,
            };
            let Some(wait) = wait.filter(|wait| begun.elapsed() < wait.most) else {
                return Err(LockError::Held(held));
            };
            if told != Some(held.since) {
                (wait.told)(&held);
                told = Some(held.since);
            }
            tokio::time::sleep(if store.is_remote() { REMOTE_LOOK } else { LOOK }).await;
        }
    }

    async fn try_take(
        store: &Store,
        scope: Scope,
        holder: &Holder,
        purpose: &str,
    ) -> Result<(Self, Option<LockRecord>), LockError> {
        loop {
            let (next, former) = match read_newest(store, scope).await? {
                None => (1, None),
                Some((number, record)) if record.released => (number + 1, None),
                Some((number, record)) => {
                    let over = record.is_over()
                        || !record.holder.is_here() && is_old(store, scope, number).await?;
                    if !over {
                        return Err(LockError::Held(Box::new(record)));
                    }
                    (number + 1, Some(record))
                }
            };
            let record = LockRecord::new(holder.clone(), purpose.to_owned());
            let lease = Lease::new(Moment::after(EXPIRY));
            if !create(store, scope, next, &record).await? {
                // Somebody was faster: look again who it is.
                continue;
            }
            store.forget_below(scope.series(), next.saturating_sub(KEEP)).await?;
            let number = Arc::new(Mutex::new(next));
            let taken = (store.clone(), scope, record.clone());
            let renewal = tokio::spawn(renew(taken, Arc::clone(&number), lease.clone()));
            let store = store.clone();
            return Ok((Self { store, scope, record, number, lease, renewal }, former));
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
        while !self.store.create(self.scope.series(), number + 1, body(&record)).await? {
            match read_newest(&self.store, self.scope).await? {
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

    /// Who holds it now, if anybody does. Nothing is written to find out, so one elsewhere that is gone may be named for
    /// longer than its lock lasts.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn holder(store: &Store, scope: Scope) -> Result<Option<LockRecord>, LockError> {
        let newest = read_newest(store, scope).await?.map(|(_, record)| record);
        Ok(newest.filter(|record| !record.is_over()))
    }

    /// Ends somebody's lock by hand (`unlock`), also one whose record is damaged; what it was, if there
    /// was one.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn force(store: &Store, scope: Scope) -> Result<Option<LockRecord>, LockError> {
        loop {
            let (number, record) = match read_newest(store, scope).await {
                Ok(Some((number, record))) if !record.released => (number, record),
                Ok(_) => break,
                Err(LockError::Garbled(number, _)) => (number, LockRecord::unknown()),
                Err(error) => return Err(error),
            };
            let ended = LockRecord { released: true, ..record.clone() };
            // A renewal may have been faster.
            if create(store, scope, number + 1, &ended).await? {
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

async fn renew(taken: (Store, Scope, LockRecord), number: Arc<Mutex<u64>>, lease: Lease) {
    let (store, scope, record) = taken;
    loop {
        tokio::time::sleep(RENEW).await;
        let until = Moment::after(EXPIRY);
        let renewed = record.renewed();
        let mut held = number.lock().await;
        // A failed write is tried again at the next turn; two in a row fit into the expiry.
        match create(&store, scope, *held + 1, &renewed).await {
            Ok(true) => {
                *held += 1;
                lease.extend(until);
                let _ = store.forget_below(scope.series(), held.saturating_sub(KEEP)).await;
            }
            // It had expired, and somebody else has it.
            Ok(false) => return lease.end(),
            Err(_) => {}
        }
    }
}

/// Creates the next record; true when it is the newest then. A number that was forgotten can be
/// created again by somebody who was stopped in between: that one is behind, and has lost.
async fn create(
    store: &Store,
    scope: Scope,
    number: u64,
    record: &LockRecord,
) -> Result<bool, StoreError> {
    Ok(store.create(scope.series(), number, body(record)).await?
        && store.last(scope.series()).await? == Some(number))
}

async fn read_newest(store: &Store, scope: Scope) -> Result<Option<(u64, LockRecord)>, LockError> {
    let Some((number, bytes)) = store.newest(scope.series()).await? else { return Ok(None) };
    let record =
        serde_json::from_slice(&bytes).map_err(|e| LockError::Garbled(number, e.to_string()))?;
    Ok(Some((number, record)))
}

/// Was it written longer ago than a lock lasts, by the store's own time?
async fn is_old(store: &Store, scope: Scope, number: u64) -> Result<bool, StoreError> {
    let age = store.age(scope.series(), number).await?;
    Ok(age.is_some_and(|age| age > EXPIRY + COARSE))
}

fn expiry(now: Timestamp) -> Timestamp {
    now.saturating_add(EXPIRY).unwrap_or(now)
}

fn body(record: &LockRecord) -> Vec<u8> {
    serde_json::to_vec_pretty(record).unwrap_or_default()
}

#[cfg(test)]
mod tests;
