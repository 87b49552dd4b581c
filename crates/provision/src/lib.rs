//! Makes machines exist. Every place ends in the same [`Inventory`]; nothing above this room knows
//! how a machine came to be.

pub mod local;

use serde::Serialize;
use std::net::Ipv4Addr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineState {
    Running,
    /// Its disk is there, it does not run.
    Stopped,
    /// Nothing of it is there.
    Missing,
}

impl MachineState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Missing => "missing",
        }
    }
}

/// A machine as it is, not as it should be.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    pub name: String,
    pub address: Ipv4Addr,
    pub state: MachineState,
    /// OpenSSH public key it must show; empty while it is missing.
    pub host_key: String,
    /// Declared size and image differ from what it was made with; it has to be restarted to follow.
    pub outdated: bool,
}

/// What a place has for one instance. Stale by nature: true when it was read.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Inventory {
    /// In the topology's order, one for each declared machine.
    pub machines: Vec<Found>,
    /// Machines that are there and not declared.
    pub surplus: Vec<String>,
}

impl Inventory {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Found> {
        self.machines.iter().find(|m| m.name == name)
    }
}
