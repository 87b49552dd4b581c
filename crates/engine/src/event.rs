//! What happens during a run, as one stream: the terminal, `--json` and the console read the same.

use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Started,
    /// Still at it; the message says what it waits for.
    Waiting,
    Ok,
    Changed,
    Failed,
}

/// One line of `--json`.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    pub v: u32,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub run: String,
    pub seq: u64,
    pub time: Timestamp,
    pub step: String,
    pub machine: Option<String>,
    pub resource: Option<String>,
    pub state: State,
    pub ms: u64,
    pub message: String,
    /// What changed, for people; secrets are masked by whoever made it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub diff: String,
}

/// Where a run's steps put their events. Cheap to clone; never blocks.
#[derive(Clone)]
pub struct Events {
    run: String,
    seq: Arc<AtomicU64>,
    sender: UnboundedSender<Event>,
}

impl Events {
    /// A stream for the run `run`, and the end a reporter reads.
    #[must_use]
    pub fn new(run: &str) -> (Self, UnboundedReceiver<Event>) {
        let (sender, receiver) = unbounded_channel();
        (Self { run: run.to_owned(), seq: Arc::default(), sender }, receiver)
    }

    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Sends an event; a reporter that went away is no reason to stop working.
    #[expect(clippy::too_many_arguments, reason = "the fields of one event, in the wire's order")]
    pub fn send(
        &self,
        step: &str,
        machine: Option<&str>,
        resource: Option<&str>,
        state: State,
        ms: u64,
        message: &str,
        diff: &str,
    ) {
        let _ = self.sender.send(Event {
            v: 1,
            kind: "event",
            run: self.run.clone(),
            seq: self.seq.fetch_add(1, Ordering::Relaxed),
            time: crate::now(),
            step: step.to_owned(),
            machine: machine.map(str::to_owned),
            resource: resource.map(str::to_owned),
            state,
            ms,
            message: message.to_owned(),
            diff: diff.to_owned(),
        });
    }
}
