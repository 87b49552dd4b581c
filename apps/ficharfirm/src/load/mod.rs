//! An exact load on an installation, and the count of what failed or was lost. Everything here looks at the
//! installation from outside, as a user does.

mod accounts;
mod client;
mod run;
mod stats;

use std::{process::ExitCode, time::Duration};

use serde::Serialize;

pub(crate) use run::run;

/// A user's patience.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Below the 20 that are allowed, because a stall makes requests arrive in a bunch.
const MOST_OF_ONE: u32 = 16;
/// With this many requests a second of one account, a bunch of a few seconds still passes.
const COMFORT_OF_ONE: u32 = 4;
/// One request in so many reads a timesheet.
const READ_EVERY: u64 = 25;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("--url {0:?} can't be used: give http://HOST[:PORT] or https://HOST[:PORT]")]
    Url(String),
    #[error("{0} can't be read")]
    Read(String, #[source] std::io::Error),
    #[error("{0} can't be written")]
    Write(String, #[source] std::io::Error),
    #[error("--ca: no certificate can be read from {0}")]
    Ca(String),
    #[error(
        "no accounts: give --accounts FILE or pipe them to stdin, JSON Lines {{employee, pin}} as \
         `ficharfirm seed` prints them"
    )]
    NoAccounts,
    #[error("line {line} of the accounts is not {{\"employee\": …, \"pin\": …}}")]
    Account { line: usize, source: serde_json::Error },
    #[error(
        "{have} accounts are too few for {rate} requests a second: one may send 20, so give at least {need}"
    )]
    TooFew { have: usize, rate: u32, need: usize },
    #[error("{0} could not sign in: {1}")]
    SignIn(String, String),
    #[error("the result can't be printed")]
    Print(#[source] std::io::Error),
}

impl LoadError {
    pub(crate) fn usage(&self) -> bool {
        !matches!(self, Self::SignIn(..) | Self::Print(_) | Self::Write(..))
    }
}

/// What came out. Times in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    pub(crate) longest_gap_ms: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) acknowledged: u64,
    pub(crate) missing: u64,
    /// Acknowledged punches whose timesheet could not be read at the end.
    pub(crate) unread: u64,
    /// Failures by what they were: a status, `timeout`, `connection`.
    pub(crate) causes: std::collections::BTreeMap<String, u64>,
    /// Answers in every [`stats::SLICE`] from the load's begin: how many were good, how many were not.
    pub(crate) timeline: Vec<[u32; 2]>,
}

impl Outcome {
    fn text(&self) -> String {
        let mut text = format!(
            "{} requests, {} failures, longest gap {} ms, p50 {:.1} ms, p99 {:.1} ms, {} acknowledged, {} missing",
            self.requests,
            self.failures,
            self.longest_gap_ms,
            self.p50_ms,
            self.p99_ms,
            self.acknowledged,
            self.missing
        );
        if self.unread > 0 {
            text.push_str(&format!(", {} in timesheets that could not be read", self.unread));
        }
        for (cause, count) in &self.causes {
            text.push_str(&format!("\n  {count} × {cause}"));
        }
        text
    }

    fn status(&self) -> ExitCode {
        if self.missing == 0 && self.unread == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
