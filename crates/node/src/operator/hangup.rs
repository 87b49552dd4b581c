//! Notices that the operator went away.

use futures_util::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGHUP and SIGTERM since the run began. While it exists they no longer end the process.
pub(crate) struct Hangup {
    signals: Vec<Signal>,
    happened: bool,
}

impl Hangup {
    pub(crate) fn new() -> Self {
        let kinds = [SignalKind::hangup(), SignalKind::terminate(), SignalKind::interrupt()];
        // Where a signal cannot be watched, it ends the process as usual, and the next run goes on.
        Self {
            signals: kinds.into_iter().filter_map(|k| signal(k).ok()).collect(),
            happened: false,
        }
    }

    pub(crate) fn happened(&mut self) -> bool {
        self.happened |=
            self.signals.iter_mut().any(|s| s.recv().now_or_never().flatten().is_some());
        self.happened
    }
}
