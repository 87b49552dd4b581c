//! Waiting times that grow and scatter, so that many processes don't come back all at once.

use std::time::Duration;

pub(crate) struct Backoff {
    next: Duration,
    first: Duration,
    most: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, first, most }
    }

    /// Between half and the whole of a time that doubles with each call.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.most);
        // Without random bytes the full time is as good.
        let noise = crate::keys::random::<2>().map_or(u16::MAX, u16::from_be_bytes);
        whole / 2 + (whole / 2).mul_f64(f64::from(noise) / f64::from(u16::MAX))
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_scatters_and_stays_below_its_bound() {
        let most = Duration::from_millis(800);
        let mut backoff = Backoff::new(Duration::from_millis(100), most);
        let waits: Vec<_> = (0..10).map(|_| backoff.next()).collect();
        assert!(waits[0] >= Duration::from_millis(50) && waits[0] <= Duration::from_millis(100));
        assert!(waits[9] >= most / 2 && waits.iter().all(|w| *w <= most));
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }
}
