//! What the node says while it works.

use serde::{Deserialize, Serialize};

/// How a resource came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Already as declared.
    Ok,
    /// Differed, and was changed (or would be, with `--check`).
    Changed,
    Failed,
    /// Not tried because something it needs failed.
    Skipped,
}

/// A line of the node's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Event {
    /// Work on a resource begins; sent only when it differs, so that a wait can be named.
    Started { v: u32, resource: String, doing: String },
    /// A resource is done.
    Resource {
        v: u32,
        resource: String,
        outcome: Outcome,
        /// Unified diff or a list of `- old` / `+ new` lines; secrets masked. Empty when nothing differs.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        diff: String,
        /// Why it failed, with the remedy where one is known.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
        /// True when making it so interrupts the service that users see.
        #[serde(default)]
        disrupts: bool,
        ms: u64,
    },
    /// The last line.
    Done(Report),
}

/// Sum of a run on one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub v: u32,
    pub ok: u32,
    pub changed: u32,
    pub failed: u32,
    pub skipped: u32,
    pub ms: u64,
    /// A failure of the node itself, outside any resource (wrong machine, older generation, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
