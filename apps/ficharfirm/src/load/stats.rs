//! Counting a load.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Of the time line.
pub(super) const SLICE: Duration = Duration::from_millis(250);

/// How one request ended.
pub(super) struct Sample {
    pub(super) ended: Instant,
    /// From the scheduled send.
    pub(super) took: Duration,
    /// What failed; nothing for a success.
    pub(super) failure: Option<String>,
}

pub(super) struct Stats {
    began: Instant,
    took: Vec<Duration>,
    successes: Vec<Instant>,
    failed: Vec<Instant>,
    pub(super) failures: u64,
    pub(super) causes: BTreeMap<String, u64>,
}

impl Stats {
    pub(super) fn new(began: Instant) -> Self {
        Self {
            began,
            took: Vec::new(),
            successes: Vec::new(),
            failed: Vec::new(),
            failures: 0,
            causes: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, sample: Sample) {
        self.took.push(sample.took);
        match sample.failure {
            None => self.successes.push(sample.ended),
            Some(cause) => {
                self.failures += 1;
                self.failed.push(sample.ended);
                *self.causes.entry(cause).or_default() += 1;
            }
        }
    }

    pub(super) fn requests(&self) -> u64 {
        self.took.len() as u64
    }

    /// The longest time between two successes. The load's begin and end count as such, or an outage that
    /// lasts to the end would not show.
    pub(super) fn longest_gap(&mut self, end: Instant) -> Duration {
        self.successes.sort_unstable();
        let mut last = self.began;
        let mut longest = Duration::ZERO;
        for success in self.successes.iter().chain(std::iter::once(&end)) {
            longest = longest.max(success.saturating_duration_since(last));
            last = last.max(*success);
        }
        longest
    }

    /// Good and bad answers, slice by slice.
    pub(super) fn timeline(&self) -> Vec<[u32; 2]> {
        let mut slices = Vec::new();
        for (times, which) in [(&self.successes, 0), (&self.failed, 1)] {
            for time in times {
                let since = time.saturating_duration_since(self.began);
                let index = (since.as_millis() / SLICE.as_millis()) as usize;
                if slices.len() <= index {
                    slices.resize(index + 1, [0, 0]);
                }
                if let Some(count) =
                    slices.get_mut(index).and_then(|slice: &mut [u32; 2]| slice.get_mut(which))
                {
                    *count += 1;
                }
            }
        }
        slices
    }

    /// Of all requests, failed ones with the time that they took; milliseconds.
    pub(super) fn percentile(&mut self, part: f64) -> f64 {
        self.took.sort_unstable();
        let last = self.took.len().saturating_sub(1);
        let index = (part * self.took.len() as f64).ceil() as usize;
        let took = self.took.get(index.saturating_sub(1).min(last)).copied().unwrap_or_default();
        took.as_secs_f64() * 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn stats(samples: &[(u32, Option<&str>)]) -> (Stats, Instant) {
        let began = Instant::now();
        let mut stats = Stats::new(began);
        for (at, failure) in samples {
            stats.add(Sample {
                ended: began + MS * *at,
                took: MS * *at,
                failure: failure.map(Into::into),
            });
        }
        (stats, began)
    }

    #[test]
    fn failures_don_t_end_a_gap() {
        let (mut stats, began) =
            stats(&[(10, None), (400, Some("503")), (700, None), (5, None), (720, None)]);
        assert_eq!(stats.longest_gap(began + MS * 730), MS * 690);
        assert_eq!((stats.requests(), stats.failures), (5, 1));
    }

    #[test]
    fn an_outage_to_the_end_shows() {
        let (mut stats, began) = stats(&[(10, None)]);
        assert_eq!(stats.longest_gap(began + MS * 1000), MS * 990);
    }

    #[test]
    fn percentiles_are_of_all_requests() {
        let samples: Vec<(u32, Option<&str>)> = (1..=100).map(|ms| (ms, None)).collect();
        let (mut stats, _) = stats(&samples);
        assert!((stats.percentile(0.5) - 50.0).abs() < 1e-9);
        assert!((stats.percentile(0.99) - 99.0).abs() < 1e-9);
        assert!((Stats::new(Instant::now()).percentile(0.99)).abs() < 1e-9);
    }
}
