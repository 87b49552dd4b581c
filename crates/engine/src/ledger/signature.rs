//! Who wrote an entry. What a key is, and which of them count, is the caller's business.

use super::RunRecord;
use serde::Serialize;

/// Signs the hash of an entry, which covers the entry before it and so all of them.
pub trait Signer: Send + Sync {
    /// The public half of what it signs with.
    fn actor(&self) -> String;
    /// Empty when it cannot.
    fn sign(&self, sha256: &str) -> String;
}

/// What is to be thought of an entry's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// Of somebody who was an actor when the entry was written.
    Good,
    /// Written before entries were signed.
    None,
    Bad,
}

/// Says whether the signature of an entry with this number is somebody's who may sign. It is asked only for entries
/// that have one, and whose hash fits.
pub type Judge<'a> = &'a (dyn Fn(u64, &RunRecord) -> bool + Send + Sync);
