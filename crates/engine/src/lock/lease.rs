//! Whether a lock is still its holder's. A lock that was not renewed in time counts as free for others, so
//! whoever holds it has to stop by itself, also when it was stopped or asleep in between.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often somebody who waits for the end looks at the clock.
const LOOK: Duration = Duration::from_secs(1);

/// Clones share it.
#[derive(Clone)]
pub struct Lease {
    until: Arc<Mutex<Moment>>,
    taken: Arc<watch::Sender<bool>>,
}

impl Lease {
    pub(super) fn new(until: Moment) -> Self {
        Self { until: Arc::new(Mutex::new(until)), taken: Arc::new(watch::Sender::new(false)) }
    }

    /// It was renewed.
    pub(super) fn extend(&self, until: Moment) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Somebody else has it.
    pub(super) fn end(&self) {
        self.taken.send_replace(true);
    }

    /// Nobody else can have it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        !*self.taken.borrow() && !until.has_passed()
    }

    /// Ends when it is not held any more.
    pub async fn lost(&self) {
        let mut taken = self.taken.subscribe();
        while self.is_held() {
            // Either is only a reason to look again.
            let _ = tokio::time::timeout(LOOK, taken.changed()).await;
        }
    }
}

/// A moment that also comes while the machine is asleep, and whatever is done to its clock.
#[derive(Clone, Copy)]
pub(super) enum Moment {
    /// Since the machine was started, time asleep included.
    Uptime(Duration),
    /// Where /proc does not tell.
    Instant(Instant),
}

impl Moment {
    pub(super) fn after(span: Duration) -> Self {
        match uptime() {
            Some(now) => Self::Uptime(now + span),
            None => Self::Instant(Instant::now() + span),
        }
    }

    fn has_passed(self) -> bool {
        match self {
            // Without an answer nobody knows: then it has.
            Self::Uptime(moment) => uptime().is_none_or(|now| now >= moment),
            Self::Instant(moment) => Instant::now() >= moment,
        }
    }
}

/// Since the machine was started, time asleep included (proc_uptime(5)).
pub(super) fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    Duration::try_from_secs_f64(text.split_whitespace().next()?.parse().ok()?).ok()
}
