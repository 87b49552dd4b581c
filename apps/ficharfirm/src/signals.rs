//! Being told to stop: the first signal drains, the second ends at once.

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Whether the process was told to stop.
#[derive(Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    pub(crate) fn begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when the first signal has come.
    pub(crate) async fn wait(&self) {
        let mut receiver = self.0.clone();
        // The sender lives as long as the process.
        let _ = receiver.wait_for(|begun| *begun).await;
    }
}

pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    begun: watch::Sender<bool>,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<(Self, Shutdown)> {
        let (begun, receiver) = watch::channel(false);
        let signals = Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            begun,
        };
        Ok((signals, Shutdown(receiver)))
    }

    /// Announces the first signal; returns at the second.
    pub(crate) async fn second(mut self) {
        self.one().await;
        tracing::info!("told to stop");
        self.begun.send_replace(true);
        self.one().await;
        tracing::warn!("told to stop at once");
    }

    async fn one(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
