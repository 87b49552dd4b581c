//! How the operator's side reaches a machine: SSH with pinned host keys, in a crate of its own so
//! that only this crate knows russh.
//!
//! Invariants: a host key that differs from the pinned one is never accepted; every wait has a
//! deadline; a command's arguments are quoted here and nowhere else.

mod attach;
mod error;
mod exec;
mod host;
mod identity;
mod key;
mod quiet;
mod session;
mod shell;

pub use attach::{Attached, Piece, Size, Terminal};
pub use error::RemoteError;
pub use exec::{Exit, Output, Stream};
pub use host::{HostKey, known, shown};
pub use identity::{KeyError, SshKey};
pub use key::{KeyPair, is_signed};
pub use session::{Session, Target};
pub use shell::quote;
