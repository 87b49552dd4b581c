//! Certificates that the machine has or gets by itself: from an authority that speaks ACME ([`acme`]), and from the
//! machine's own authority ([`identity`]).

mod acme;
mod http;
pub(crate) mod identity;
mod validity;

pub use acme::{Order, certificate};
pub use identity::identities;
pub(crate) use validity::holds;
