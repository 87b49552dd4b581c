//! Rate limits, per token and kind of request, as API v4 states them: 200 paginated reads and 1600 other
//! requests a minute, 20 instances created in 15 seconds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Page,
    CreateInstance,
    Other,
}

impl Class {
    /// Requests, and the seconds in which there may be so many.
    fn limit(self) -> (u64, u64) {
        match self {
            Self::Page => (200, 60),
            Self::CreateInstance => (20, 15),
            Self::Other => (1600, 60),
        }
    }
}

/// What the headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    pub limit: u64,
    pub remaining: u64,
    /// Seconds since 1970 when `remaining` is `limit` again.
    pub reset: u64,
    /// Whole seconds to wait, when the request is one too many.
    pub refused: Option<u64>,
}

/// Token digest and class → window, and requests in it.
#[derive(Default)]
pub(crate) struct Limits {
    windows: Mutex<HashMap<(u64, Class), (u64, u64)>>,
}

impl Limits {
    /// Counts a request. `now` is since 1970.
    pub(crate) fn count(&self, token: u64, class: Class, now: Duration) -> Quota {
        let (limit, seconds) = class.limit();
        let window = now.as_secs() / seconds;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, used) = windows.entry((token, class)).or_insert((window, 0));
        if *of != window {
            (*of, *used) = (window, 0);
        }
        let reset = (window + 1) * seconds;
        if *used >= limit {
            let wait = reset.saturating_sub(now.as_secs()).max(1);
            return Quota { limit, remaining: 0, reset, refused: Some(wait) };
        }
        *used += 1;
        Quota { limit, remaining: limit - *used, reset, refused: None }
    }
}

pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_too_many_waits_for_the_next_window() {
        let limits = Limits::default();
        let at = Duration::from_secs(15_000);
        for n in 1..=20 {
            let quota = limits.count(1, Class::CreateInstance, at);
            assert_eq!((quota.remaining, quota.refused), (20 - n, None));
        }
        let late = at + Duration::from_secs(11);
        assert_eq!(limits.count(1, Class::CreateInstance, late).refused, Some(4));
        assert_eq!(limits.count(2, Class::CreateInstance, late).refused, None, "another token");
        assert_eq!(limits.count(1, Class::Page, late).refused, None, "another kind of request");
        let next = limits.count(1, Class::CreateInstance, at + Duration::from_secs(15));
        assert_eq!((next.remaining, next.refused, next.reset), (19, None, 15_030));
    }
}
