//! Makes machines exist. Every place ends in the same [`Inventory`]; nothing above this crate knows
//! how a machine came to be.

pub mod hosts;
pub mod linode;
pub mod local;
pub mod terraform;

use andamio_spec::Topology;
use hosts::Hosts;
use local::Local;
use serde::Serialize;
use std::net::Ipv4Addr;

/// Where the machines of one instance come from.
#[derive(Debug, Clone)]
pub enum Provider {
    Local(Local),
    Hosts(Hosts),
}

impl Provider {
    /// What is there now.
    #[must_use]
    pub fn observe(&self, topology: &Topology) -> Inventory {
        match self {
            Self::Local(local) => local.observe(topology),
            Self::Hosts(hosts) => hosts.observe(topology),
        }
    }

    /// Is everything there that machines share? Nothing is shared where machines are not made.
    pub async fn shared_resources(&self) -> SharedResources {
        match self {
            Self::Local(local) => SharedResources {
                image: local.image.is_built(),
                network: local.network_differs().await,
                free_bytes: local.free_bytes(),
            },
            Self::Hosts(_) => {
                SharedResources { image: true, network: Vec::new(), free_bytes: u64::MAX }
            }
        }
    }

    /// Bytes on a machine's file system and how many it can hold, where the place itself can tell.
    #[must_use]
    pub fn disk(&self, name: &str) -> Option<(u64, u64)> {
        match self {
            Self::Local(local) => local.disk(name),
            Self::Hosts(_) => None,
        }
    }

    /// Processes and threads of a machine and how many it may have, where the place itself can tell.
    #[must_use]
    pub fn tasks(&self, name: &str) -> Option<(u64, u64)> {
        match self {
            Self::Local(local) => local.tasks(name),
            Self::Hosts(_) => None,
        }
    }

    /// Does the machine run? Of one that is not Andamio's to start nobody but itself can tell: yes.
    #[must_use]
    pub fn runs(&self, name: &str) -> bool {
        match self {
            Self::Local(local) => local.runs(name),
            Self::Hosts(_) => true,
        }
    }

    /// Resident memory of a machine in bytes, where the place itself can tell.
    #[must_use]
    pub fn memory(&self, name: &str) -> u64 {
        match self {
            Self::Local(local) => local.memory(name),
            Self::Hosts(_) => 0,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SharedResources {
    pub image: bool,
    /// What of their network is not as it has to be, a line each.
    pub network: Vec<String>,
    /// Where disks are made; more than any where none are.
    pub free_bytes: u64,
}

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
    /// Of SSH.
    pub port: u16,
    /// Whom to log in as.
    pub user: String,
    pub state: MachineState,
    /// OpenSSH public key it must show; empty while none is known.
    pub host_key: String,
    /// Declared size and image differ from what it was made with; it has to be restarted to follow.
    pub outdated: bool,
    /// Of its own file system; 0 where it has none, or nobody here knows.
    pub disk_bytes: u64,
    /// Its file system was aborted by the kernel, and nothing can be written any more.
    pub read_only: bool,
    /// It was started less than a minute ago: not answering yet is no sign that it hangs.
    pub booting: bool,
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
