//! Counting a load, in memory that does not grow with the number of requests.

use andamio_manifest::LoadLine;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Of the time line.
const SLICE: Duration = Duration::from_millis(250);
/// Times are told to a tenth of a millisecond, so that is how they are kept; patience ends at 2 s.
const UNIT: Duration = Duration::from_micros(100);
const UNITS: usize = 25_000;
/// Different words for failures; a server that puts a number into each is told as one.
const CAUSES: usize = 40;
const OTHERS: &str = "others";

/// How one request ended.
pub(super) struct Sample {
    pub(super) ended: Instant,
    /// From the scheduled send.
    pub(super) took: Duration,
    /// What failed; nothing for a success.
    pub(super) failure: Option<String>,
}

pub(super) struct Stats {
    begun: Instant,
    whole: Times,
    /// What there is to say of the second that is not over.
    now: Times,
    seconds: u32,
    causes: BTreeMap<String, u64>,
    last: Instant,
    gap: Duration,
    timeline: Vec<[u32; 2]>,
}

/// How many requests took how long.
struct Times {
    counts: Vec<u64>,
    requests: u64,
    failures: u64,
}

impl Times {
    fn new() -> Self {
        Self { counts: vec![0; UNITS], requests: 0, failures: 0 }
    }

    fn add(&mut self, took: Duration, failed: bool) {
        // To the nearest, as a figure is rounded.
        let unit = (took + UNIT / 2).as_micros() / UNIT.as_micros();
        let index = usize::try_from(unit).unwrap_or(UNITS).min(UNITS - 1);
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
        self.requests += 1;
        self.failures += u64::from(failed);
    }

    /// Of all requests, failed ones with the time that they took; milliseconds.
    fn percentile(&self, part: f64) -> f64 {
        let wanted = ((part * self.requests as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let index = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        index.unwrap_or_default() as f64 / 10.0
    }
}

impl Stats {
    pub(super) fn new(begun: Instant) -> Self {
        Self {
            begun,
            whole: Times::new(),
            now: Times::new(),
            seconds: 0,
            causes: BTreeMap::new(),
            last: begun,
            gap: Duration::ZERO,
            timeline: Vec::new(),
        }
    }

    /// Samples come in the order in which requests end, but for microseconds.
    pub(super) fn add(&mut self, sample: &Sample) {
        let failed = sample.failure.is_some();
        self.whole.add(sample.took, failed);
        self.now.add(sample.took, failed);
        if let Some(cause) = &sample.failure {
            let known = self.causes.contains_key(cause) || self.causes.len() < CAUSES;
            let cause = if known { cause } else { OTHERS };
            *self.causes.entry(cause.to_owned()).or_default() += 1;
        } else {
            self.gap = self.gap.max(sample.ended.saturating_duration_since(self.last));
            self.last = self.last.max(sample.ended);
        }
        let since = sample.ended.saturating_duration_since(self.begun);
        let slice = usize::try_from(since.as_millis() / SLICE.as_millis()).unwrap_or(0);
        if self.timeline.len() <= slice {
            self.timeline.resize(slice + 1, [0, 0]);
        }
        let counts = self.timeline.get_mut(slice);
        if let Some(count) = counts.and_then(|counts| counts.get_mut(usize::from(failed))) {
            *count += 1;
        }
    }

    /// What there is to say of the second that is over now.
    pub(super) fn second(&mut self) -> LoadLine {
        self.seconds += 1;
        let Times { requests, failures, .. } = self.now;
        let p99_ms = self.now.percentile(0.99);
        self.now = Times::new();
        LoadLine::Progress { second: self.seconds, requests, failures, p99_ms }
    }

    pub(super) fn requests(&self) -> u64 {
        self.whole.requests
    }

    pub(super) fn failures(&self) -> u64 {
        self.whole.failures
    }

    /// The longest time between two successes. The load's begin and end count as such, or an outage that
    /// lasts to the end would not show.
    pub(super) fn longest_gap(&self, end: Instant) -> Duration {
        self.gap.max(end.saturating_duration_since(self.last))
    }

    pub(super) fn percentile(&self, part: f64) -> f64 {
        self.whole.percentile(part)
    }

    pub(super) fn causes(&self) -> BTreeMap<String, u64> {
        self.causes.clone()
    }

    /// Good and bad answers, slice by slice.
    pub(super) fn timeline(&self) -> Vec<[u32; 2]> {
        self.timeline.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn stats(samples: &[(u32, Option<&str>)]) -> (Stats, Instant) {
        let begun = Instant::now();
        let mut stats = Stats::new(begun);
        for (at, failure) in samples {
            let ended = begun + MS * *at;
            stats.add(&Sample { ended, took: MS * *at, failure: failure.map(Into::into) });
        }
        (stats, begun)
    }

    #[test]
    fn failures_do_not_end_a_gap() {
        let (stats, begun) =
            stats(&[(10, None), (5, None), (400, Some("503")), (700, None), (720, None)]);
        assert_eq!(stats.longest_gap(begun + MS * 730), MS * 690);
        assert_eq!((stats.requests(), stats.failures()), (5, 1));
        assert_eq!(stats.timeline(), [[2, 0], [0, 1], [2, 0]]);
    }

    #[test]
    fn an_outage_to_the_end_shows() {
        let (stats, begun) = stats(&[(10, None)]);
        assert_eq!(stats.longest_gap(begun + MS * 1000), MS * 990);
    }

    #[test]
    fn percentiles_are_of_all_requests() {
        let samples: Vec<(u32, Option<&str>)> = (1..=100).map(|ms| (ms, None)).collect();
        let (mut stats, _) = stats(&samples);
        assert!((stats.percentile(0.5) - 50.0).abs() < 1e-9);
        assert!((stats.percentile(0.99) - 99.0).abs() < 1e-9);
        assert!((Stats::new(Instant::now()).percentile(0.99)).abs() < 1e-9);
        let first = LoadLine::Progress { second: 1, requests: 100, failures: 0, p99_ms: 99.0 };
        assert_eq!(stats.second(), first);
        let next = LoadLine::Progress { second: 2, requests: 0, failures: 0, p99_ms: 0.0 };
        assert_eq!(stats.second(), next);
    }

    #[test]
    fn memory_does_not_grow_with_words() {
        let begun = Instant::now();
        let mut stats = Stats::new(begun);
        for number in 0..1000 {
            let failure = Some(format!("connection: number {number}"));
            stats.add(&Sample { ended: begun, took: MS * 3000, failure });
        }
        assert_eq!(stats.causes().len(), CAUSES + 1);
        assert_eq!(stats.causes()[OTHERS], 1000 - CAUSES as u64);
    }
}
