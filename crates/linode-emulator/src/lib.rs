//! Linode's API v4 on this machine: what the official Terraform provider, `linode-cli`, linodego and
//! `linode_api4` ask for, answered from a folder. Instances are records with a life cycle; where real
//! machines would come in is [`job::Machines`].

mod api;
pub mod app;
mod call;
mod check;
mod error;
mod event;
pub mod fault;
mod filter;
pub mod job;
mod limits;
pub mod s3;
pub mod serve;
mod store;

pub use store::StoreError;
