//! What the verbs do: each one looks at what is live and builds a plan; the engine runs it.

mod access;
mod actor;
mod approval;
mod declared;
mod failure;
mod image;
mod instance;
mod node;
mod ownership;
mod runner;
mod secret;
mod secret_change;
mod team;

pub mod accept;
pub mod attend;
pub mod command;
pub mod database;
pub mod desired;
pub mod down;
pub mod drill;
pub mod history;
pub mod hosts;
pub mod init;
pub mod key;
pub mod linode;
pub mod load;
pub mod logs;
pub mod plan;
pub mod release;
pub mod state;
pub mod status;
pub mod up;

pub use access::SshAccess;
pub use actor::{Purpose, new_identity};
pub use approval::Approval;
pub use failure::{Failure, Kind};
pub use image::recipe as machine_image;
pub use instance::{Instance, OpenMode, Request};
pub use node::{NodeReport, Nodes};
pub use runner::{Ended, Prepared, Reporter, Runner};
pub use secret::{Secrets, public_keys, recovery_key};
