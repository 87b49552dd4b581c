//! The unit of work: something that can be described and applied, and that another try may repeat.

use crate::{Events, State};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a step came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to do.
    Ok,
    /// This many things were changed.
    Changed(u32),
}

const STOPPED: &str = "stopped";

/// Why a step failed, as a person needs it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ErrorReport {
    /// Stable, kebab-case: `image-build`, `machine-start`, `converge`.
    pub code: String,
    pub message: String,
    /// What to do next.
    pub help: String,
}

impl ErrorReport {
    pub fn new(code: &str, message: impl fmt::Display, help: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_string(), help: help.to_owned() }
    }

    /// A step that came to an end early because a person, or a lost lock, asked for it.
    pub fn stopped(message: impl fmt::Display) -> Self {
        Self::new(STOPPED, message, "run the same command again to go on from here")
    }

    pub(crate) fn is_stop(&self) -> bool {
        self.code == STOPPED
    }

    /// A fault from an error and all its causes.
    pub fn from_error(code: &str, error: &dyn std::error::Error, help: &str) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = inner.source();
        }
        Self { code: code.to_owned(), message, help: help.to_owned() }
    }
}

/// What a step can do while it works.
pub struct StepContext<'a> {
    pub(crate) step: &'a str,
    pub(crate) machine: Option<&'a str>,
    pub(crate) events: &'a Events,
    pub(crate) cancel: &'a crate::Cancel,
    /// Resources that were changed so far: they count also when the step fails afterwards.
    pub(crate) changed: AtomicU32,
}

impl StepContext<'_> {
    /// Says what the step is doing or waiting for right now.
    pub fn doing(&self, message: &str) {
        self.events.send(self.step, self.machine, None, State::Waiting, 0, message, "");
    }

    /// Reports one resource of the step's machine.
    pub fn resource(&self, id: &str, state: State, ms: u64, message: &str, diff: &str) {
        if state == State::Changed {
            self.changed.fetch_add(1, Ordering::Relaxed);
        }
        self.events.send(self.step, self.machine, Some(id), state, ms, message, diff);
    }

    /// Ends once the person wants to stop.
    pub async fn stopped(&self) {
        self.cancel.wait().await;
    }

    /// The wish to stop itself, for a run within this step.
    #[must_use]
    pub fn cancel(&self) -> &crate::Cancel {
        self.cancel
    }

    /// True once the person wants to stop; long steps look at it between two things they do.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.cancel.requested()
    }
}

/// What a step does. Applying it twice is the same as once.
pub trait Action: Send + Sync {
    /// Makes it so and verifies that it is.
    fn apply<'a>(
        &'a self,
        context: &'a StepContext<'a>,
    ) -> BoxFuture<'a, Result<Outcome, ErrorReport>>;
}

/// A step of a plan.
pub struct Step {
    /// Unique in the plan: `machine:app-1`, `converge:mariadb-1`.
    pub id: String,
    pub machine: Option<String>,
    /// For people: `start app-1`.
    pub title: String,
    /// Ids of steps that must have succeeded before.
    pub needs: Vec<String>,
    pub action: Box<dyn Action>,
}

impl Step {
    pub fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        action: impl Action + 'static,
    ) -> Self {
        Self {
            id: id.into(),
            machine: None,
            title: title.into(),
            needs: Vec::new(),
            action: Box::new(action),
        }
    }

    #[must_use]
    pub fn on(mut self, machine: &str) -> Self {
        self.machine = Some(machine.to_owned());
        self
    }

    #[must_use]
    pub fn after<I: IntoIterator<Item = S>, S: Into<String>>(mut self, ids: I) -> Self {
        self.needs.extend(ids.into_iter().map(Into::into));
        self
    }
}
