//! Who says yes to what users notice, what removes data, and what costs money.

use crate::Failure;
use andamio_engine::BoxFuture;

/// A person at a terminal, or a program with a policy.
pub trait Approval: Send + Sync {
    /// Ends well when the answer is yes. No lock is held meanwhile.
    ///
    /// # Errors
    /// [`crate::Kind::Refused`] when it is no, or there is nobody to ask.
    fn ask<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<(), Failure>>;
}
