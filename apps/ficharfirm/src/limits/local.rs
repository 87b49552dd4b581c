//! Limits of this process alone, for while Redis is away.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// More names than this are swept of those that are quiet: memory must not grow with an attacker's list.
const SWEEP_AT: usize = 20_000;

/// Sliding windows by name: at most `limit` events in any `window`.
pub(super) struct Windows {
    limit: usize,
    window: Duration,
    times: Mutex<HashMap<String, VecDeque<Instant>>>,
}

impl Windows {
    pub(super) fn new(limit: usize, window: Duration) -> Self {
        Self { limit, window, times: Mutex::default() }
    }

    /// Counts an event if it fits; otherwise says how long to wait.
    pub(super) fn take(&self, name: &str) -> Option<Duration> {
        self.at(name, Instant::now(), true)
    }

    /// How long until an event would fit.
    pub(super) fn wait(&self, name: &str) -> Option<Duration> {
        self.at(name, Instant::now(), false)
    }

    /// Counts an event whether it fits or not.
    pub(super) fn add(&self, name: &str) {
        self.with(name, Instant::now(), |times, now| times.push_back(now));
    }

    fn at(&self, name: &str, now: Instant, count: bool) -> Option<Duration> {
        let (limit, window) = (self.limit, self.window);
        self.with(name, now, |times, now| {
            if times.len() >= limit {
                return times.front().map(|first| (*first + window).saturating_duration_since(now));
            }
            if count {
                times.push_back(now);
            }
            None
        })
    }

    fn with<T>(
        &self,
        name: &str,
        now: Instant,
        act: impl FnOnce(&mut VecDeque<Instant>, Instant) -> T,
    ) -> T {
        let mut all = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= SWEEP_AT && !all.contains_key(name) {
            all.retain(|_, times| times.back().is_some_and(|last| now - *last < self.window));
            if all.len() >= SWEEP_AT {
                all.clear();
            }
        }
        let times = all.entry(name.into()).or_default();
        while times
            .front()
            .is_some_and(|first| now.saturating_duration_since(*first) >= self.window)
        {
            times.pop_front();
        }
        let result = act(times, now);
        // Only the newest can matter.
        while times.len() > self.limit {
            times.pop_front();
        }
        result
    }
}

/// Names seen lately; forgets them all when there are too many.
#[derive(Default)]
pub(super) struct Recent(Mutex<HashSet<String>>);

impl Recent {
    pub(super) fn add(&self, name: String) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= SWEEP_AT {
            names.clear();
        }
        names.insert(name);
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_twenty_first_in_a_second_waits() {
        let windows = Windows::new(20, Duration::from_secs(1));
        let start = Instant::now();
        for i in 0..20 {
            assert_eq!(windows.at("E1", start + Duration::from_millis(i), true), None);
        }
        let wait = windows.at("E1", start + Duration::from_millis(100), true).unwrap();
        assert_eq!(wait, Duration::from_millis(900));
        assert_eq!(windows.at("E2", start, true), None, "others are not concerned");
        assert_eq!(windows.at("E1", start + Duration::from_millis(1000), true), None);
    }

    #[test]
    fn failures_count_only_when_added() {
        let windows = Windows::new(2, Duration::from_secs(60));
        for _ in 0..50 {
            assert!(windows.wait("E1").is_none());
        }
        windows.add("E1");
        windows.add("E1");
        assert!(windows.wait("E1").is_some());
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_limit(gaps in proptest::collection::vec(0u64..120, 1..200)) {
            let windows = Windows::new(20, Duration::from_secs(1));
            let mut now = Instant::now();
            let mut taken: Vec<Instant> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if windows.at("E1", now, true).is_none() {
                    taken.push(now);
                }
            }
            for (i, first) in taken.iter().enumerate() {
                let within = taken[i..].iter().filter(|t| **t - *first < Duration::from_secs(1)).count();
                prop_assert!(within <= 20);
            }
        }
    }
}
