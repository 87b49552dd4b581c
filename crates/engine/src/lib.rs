//! The one engine that runs every plan: dependencies, parallelism, locks, cancel, events, ledger.
//!
//! Invariants: intent is written before an action and its result after it; a run that was killed
//! anywhere is finished by running the same command again, because plans are made from what is live
//! and never from what a former run meant to do.

mod event;
mod ledger;
mod lock;
mod run;
mod step;
mod store;

pub use event::{Event, Events, State};
pub use ledger::{
    Accepted, Entry, Fault, Judge, Ledger, LedgerError, Reading, RunRecord, RunStatus, Signature,
    Signer, Wrong,
};
pub use lock::{Holder, Lease, Lock, LockError, LockRecord, Scope, Wait};
pub use run::{Cancel, RunOutcome, run};
pub use step::{Action, BoxFuture, ErrorReport, Outcome, Step, StepContext};
pub use store::{Bucket, S3Config, Secret, StatePlace, Store, StoreError};

pub use jiff::Timestamp;
use jiff::Unit;

/// Now, as the contract writes times: RFC 3339, UTC, milliseconds.
#[must_use]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Millisecond).unwrap_or(now)
}

/// A new run's id: sortable by time, unique by randomness.
#[must_use]
pub fn run_id() -> String {
    let mut random = [0_u8; 3];
    // Without randomness the time alone still tells runs of one lock holder apart.
    let _ = getrandom::fill(&mut random);
    format!("{}-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), hex::encode(random))
}
