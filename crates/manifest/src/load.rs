//! A load: what a machine is asked to send, and what it says while it does.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `andamio node load` reads on standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadJob {
    pub v: u32,
    /// `http://HOST[:PORT]` or `https://HOST[:PORT]`, without a path.
    pub url: String,
    /// ADDRESS[:PORT] that connections go to, whatever HOST means to the machine's resolver.
    #[serde(default)]
    pub address: Option<String>,
    /// PEM file of an authority that is believed beside the public ones.
    #[serde(default)]
    pub authority: Option<String>,
    /// Requests a second.
    pub rate: u32,
    pub seconds: u32,
    pub requests: Vec<LoadRequest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadRequest {
    pub method: String,
    pub path: String,
    /// How often, beside the other requests.
    pub weight: u32,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub body: String,
    /// Answers that are no failure; empty for any 2xx.
    #[serde(default)]
    pub status: Vec<u16>,
}

/// A line of what a load says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum LoadLine {
    /// The first request is due now. An application's own `load` says so on standard error.
    Begun,
    /// After each second: of the answers that came in it.
    Progress {
        second: u32,
        requests: u64,
        failures: u64,
        p99_ms: f64,
    },
    Figures(LoadFigures),
}

/// What came out. An application's own `load` prints the same object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadFigures {
    pub requests: u64,
    pub failures: u64,
    /// The longest time between two successes; begin and end count as such.
    pub longest_gap_ms: u64,
    /// Of all requests, from the scheduled send.
    #[serde(default)]
    pub p50_ms: f64,
    #[serde(default)]
    pub p99_ms: f64,
    /// Records that the application confirmed; nothing where nobody counts.
    #[serde(default)]
    pub acknowledged: Option<u64>,
    /// Of these, the ones that are not there at the end.
    #[serde(default)]
    pub missing: Option<u64>,
    /// Acknowledged, and nobody could say at the end whether it is there.
    #[serde(default)]
    pub unread: u64,
    /// Failures by what they were: a status, `timeout`, a connection.
    #[serde(default)]
    pub causes: BTreeMap<String, u64>,
    /// Good and bad answers in every quarter of a second.
    #[serde(default)]
    pub timeline: Vec<[u32; 2]>,
}

impl LoadFigures {
    /// Acknowledged records that are not there any more, as far as anybody counts.
    #[must_use]
    pub fn lost(&self) -> Option<u64> {
        self.missing.map(|missing| missing + self.unread)
    }
}
