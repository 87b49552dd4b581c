//! Servers that exist already: nothing is made, started or removed here.
//!
//! Invariant: no server is talked to whose host key nobody vouched for: the file, the pin of an
//! earlier run, or the person (known_hosts, or a yes at the terminal).

mod check;

pub use check::{FACTS, Look, problems};

use crate::{Found, Inventory, MachineState};
use andamio_spec::Topology;
use andamio_spec::topology::Machine;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// A place of kind `hosts`, for one instance.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Its name in andamio.toml.
    pub place: String,
    pub user: String,
    pub port: u16,
    pub keys: BTreeMap<Ipv4Addr, Known>,
}

/// A host key that somebody vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// `ssh-ed25519 AAAA…`.
    pub key: String,
    /// An earlier run has logged in there and left the operator's key.
    pub pinned: bool,
}

impl Hosts {
    /// One entry for each declared machine. Whether a server answers shows when it is asked: as far as
    /// this place is concerned, a known one runs.
    #[must_use]
    pub fn observe(&self, topology: &Topology) -> Inventory {
        let machines = topology.machines.iter().map(|machine| self.found(machine)).collect();
        Inventory { machines, surplus: Vec::new() }
    }

    fn found(&self, machine: &Machine) -> Found {
        let known = self.keys.get(&machine.address);
        Found {
            name: machine.name.clone(),
            address: machine.address,
            port: self.port,
            user: self.user.clone(),
            state: if known.is_some() { MachineState::Running } else { MachineState::Missing },
            host_key: known.map(|known| known.key.clone()).unwrap_or_default(),
            outdated: false,
            disk_bytes: 0,
            read_only: false,
            booting: false,
        }
    }

    /// Has an earlier run been there?
    #[must_use]
    pub fn is_pinned(&self, address: Ipv4Addr) -> bool {
        self.keys.get(&address).is_some_and(|known| known.pinned)
    }
}
