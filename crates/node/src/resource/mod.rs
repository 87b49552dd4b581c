//! One module per kind of resource. Each says what differs and makes it so; the order of work,
//! modes, events and verification are [`crate::run`]'s.

pub(crate) mod agent;
pub(crate) mod directory;
pub(crate) mod file;
pub(crate) mod firewall;
pub(crate) mod group;
pub(crate) mod identity;
pub(crate) mod image;
pub(crate) mod kept_folder;
pub(crate) mod mariadb;
pub(crate) mod package;
pub(crate) mod probe;
pub(crate) mod rabbitmq;
pub(crate) mod rabbitmq_cluster;
pub(crate) mod redis;
pub(crate) mod redis_cluster;
pub(crate) mod secrets;
pub(crate) mod store;
pub(crate) mod sysctl;
pub(crate) mod unit;
pub(crate) mod user;

use crate::diff::Diff;
use crate::failure::Result;
use crate::machine::Machine;
use std::fmt::Display;
use tokio::sync::mpsc::UnboundedSender;

/// A kind of resource.
pub(crate) trait Resource {
    /// Compares the machine with what is declared. Changes nothing, in either mode.
    async fn diff(&self, machine: &mut Machine) -> Result<Diff>;

    /// Judges what is declared before anything is changed: a refusal here costs nothing, while a
    /// change, even a failed one, makes the units that watch this resource restart.
    async fn prepare(&self, _: &mut Machine) -> Result<()> {
        Ok(())
    }

    /// Makes it so, and returns what the operator should know (mostly nothing). Called only when
    /// [`Resource::diff`] was not empty. May be killed at any point: what it leaves must be seen by
    /// the next `diff`.
    async fn make(&self, machine: &mut Machine, say: &Say) -> Result<String>;

    /// Token of the change that was just made, where the operator has to confirm it.
    fn unconfirmed(&self, _: &Machine) -> Option<String> {
        None
    }

    /// What is being done, for the operator who waits.
    fn doing(&self) -> String;
}

/// What a resource is at.
pub(crate) struct Doing {
    pub(crate) text: String,
    /// Nothing is done but waiting: nobody has to stay for it.
    pub(crate) waits: bool,
}

/// Tells the operator what a resource is at.
#[derive(Clone)]
pub(crate) struct Say(pub(crate) UnboundedSender<Doing>);

impl Say {
    pub(crate) fn say(&self, doing: impl Into<String>) {
        self.send(Doing { text: doing.into(), waits: false });
    }

    pub(crate) fn waits_for(&self, what: impl Display) {
        self.send(Doing { text: format!("waiting for {what}"), waits: true });
    }

    fn send(&self, doing: Doing) {
        // The receiver outlives the work; were it gone, nobody would listen.
        let _ = self.0.send(doing);
    }
}
