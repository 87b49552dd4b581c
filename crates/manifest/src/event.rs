//! What the node says while it works.

use crate::is_false;
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

/// What a failure comes from, where more than its words is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Another program has had the lock of apt and dpkg for too long.
    PackageLock,
    PackageMirror,
    DiskFull,
    ReadOnlyDisk,
    /// Another program has the service's port.
    PortTaken,
    /// podman cannot read its list of images.
    ImageStore,
    Dpkg,
    /// The service answers, and does not know who asks.
    LockedOut,
    /// The application itself does not start, or does not answer as it should.
    Application,
}

/// A line of the node's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Event {
    /// Work on a resource begins; sent only when it differs, so that a wait can be named.
    Started {
        v: u32,
        resource: String,
        /// For people.
        doing: String,
        /// Nothing is done but waiting: nobody has to stay for it.
        #[serde(default, skip_serializing_if = "is_false")]
        waits: bool,
    },
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
        /// True when making it so interrupts the service that users see.
        #[serde(default)]
        disrupts: bool,
        /// A unit that has to run and does not.
        #[serde(default, skip_serializing_if = "is_false")]
        down: bool,
        /// Token of a change that is undone, unless `andamio node confirm TOKEN` comes over a second connection.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confirm: Option<String>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_an_older_node_are_read() {
        let old = r#"{"type":"started","v":1,"resource":"unit:a.service","doing":"starting"}
            {"type":"resource","v":1,"resource":"unit:a.service","outcome":"changed","disrupts":true,"ms":7}
            {"type":"done","v":1,"ok":1,"changed":1,"failed":0,"skipped":0,"ms":9}"#;
        let read: Vec<Event> = old.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let Event::Started { waits: false, .. } = &read[0] else { panic!("{:?}", read[0]) };
        let Event::Resource { down: false, confirm: None, cause: None, disrupts: true, .. } =
            &read[1]
        else {
            panic!("{:?}", read[1]);
        };
        assert!(matches!(&read[2], Event::Done(report) if report.changed == 1));
        // What is not so is not said.
        for (line, event) in old.lines().zip(&read) {
            assert_eq!(line.trim(), serde_json::to_string(event).unwrap());
        }
    }
}
