//! What runs on a machine: makes it what its manifest says, and says what it did.
//!
//! Every kind of resource is observed, compared and, when it differs, changed and observed again
//! ([`resource`]). What many resources ask of the machine (installed packages, accounts, systemd) is
//! read once ([`machine`]). An apply can be killed anywhere: the next one completes the work, and
//! touches nothing that is already right.
//!
//! The crate neither prints nor reads the terminal or the environment. It knows the paths of a
//! Debian system, and keeps its own state in [`STATE`].

mod attend;
mod certificate;
mod diff;
mod disk;
mod facts;
mod failure;
mod health;
mod kept;
mod load;
mod machine;
mod net;
mod operator;
mod ownership;
mod process;
mod resource;
mod run;
mod secret;
mod serve;
mod task;
mod transfer;

pub use attend::{Order as Attended, attend, first, pass};
pub use certificate::{Order, certificate, identities};
pub use facts::{Facts, facts};
pub use failure::Failure;
pub use health::health;
pub use load::load;
pub use machine::Mode;
pub use operator::confirm::{Reverted, confirm, undo_firewall};
pub use run::{Out, apply};
pub use serve::serve;
pub use task::task;
pub use transfer::{Transfer, transfer};

/// What the node remembers between runs: owner and generation, stamps of units, the firewall's live
/// form. Losing it costs one restart of each service, nothing else.
pub const STATE: &str = "/var/lib/andamio";

/// Markers that must not outlive a boot.
const RUNTIME: &str = "/run/andamio";
