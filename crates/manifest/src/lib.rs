//! What a machine is told and what it answers.
//!
//! The operator's side renders one [`Manifest`] per machine and writes it, as one JSON document, to
//! the standard input of `andamio node apply`. The node answers with one [`Event`] per line. Both are
//! wire formats: fields may be added, never renamed or given another meaning.
//!
//! Secrets travel inside the manifest ([`Text::sensitive`]); they never come back in an event.

mod event;
mod kept;
mod load;
mod resource;
mod task;
mod tls;

pub use event::{Cause, Event, Outcome, Report};
pub use kept::*;
pub use load::*;
pub use resource::*;
pub use task::*;
pub use tls::*;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the wire format.
pub const VERSION: u32 = 1;

/// Everything one machine has to be, in the order in which it is made true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub v: u32,
    /// The machine's name, so that a manifest sent to the wrong machine is refused.
    pub machine: String,
    /// The server had a host name before it was a machine of Andamio's and keeps it: who it is shows
    /// by its host key, and by what it was claimed as.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_hostname: bool,
    /// Instance (`env@place`) that owns the machine.
    pub instance: String,
    /// Grows with every change of the declared state. A node refuses an older one, and the same one
    /// with other content.
    pub generation: u64,
    /// Only what a cluster as a whole has to be, asked of one of its members: the machine's own
    /// declared state and its generation stay what they are.
    #[serde(default, skip_serializing_if = "is_false")]
    pub part: bool,
    /// What is sensitive is a stand-in, see [`Kept`]: good for a check alone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stand_ins: bool,
    pub resources: Vec<Resource>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Manifest {
    /// SHA-256 over everything but the generation, in hex: equal digests mean equal declared state.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.machine.as_str(), self.instance.as_str()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        // Serializing plain data with string keys cannot fail; an empty text would only make the
        // digest weaker, never wrong for equal input.
        hash.update(serde_json::to_vec(&self.resources).unwrap_or_default());
        hex::encode(hash.finalize())
    }
}
