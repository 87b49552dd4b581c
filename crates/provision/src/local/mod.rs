//! Machines on this Linux host: systemd-nspawn over one shared image, a bridge and a /24 an instance.
//!
//! Invariants: a machine is either whole or not there (its folder is renamed into place); it is found
//! again by its folder and its control group, never by a pid; its mounts live in a namespace of its
//! own and vanish with it, its disk's loop device too; everything of an instance carries the instance's id.

mod base;
mod cgroup;
mod disk;
mod error;
mod fault;
mod filesystem;
mod host;
mod image;
mod launch;
mod machine;
mod network;
mod reserve;
mod resolver;
mod tool;
mod ways;

pub use base::{base, base_arguments};
pub use disk::Seed;
pub use error::LocalError;
pub use fault::{FaultInjection, MachineFault};
pub use host::{Missing, install, missing_packages, preflight};
pub use image::{Image, Recipe};
pub use launch::launch;
pub use network::allocate;
pub use reserve::Room;
pub use resolver::Resolver;
pub use ways::{Keeper, Reach, Wall, Ways};

use crate::{Found, Inventory, MachineState};
use andamio_spec::topology::{Machine, Network, Topology, ports};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A machine that has not answered by then will not; alone it takes 1.3 s, beside many others longer.
const BOOT: std::time::Duration = std::time::Duration::from_secs(60);

/// Folders on the host. Values, so that a test can have its own.
#[derive(Debug, Clone)]
pub struct Roots {
    /// Machines and their disks; kept until `down`.
    pub data: PathBuf,
    /// Images; can be deleted at any time and are built again.
    pub cache: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { data: "/var/lib/andamio".into(), cache: "/var/cache/andamio".into() }
    }
}

/// One instance's share of this host.
#[derive(Debug, Clone)]
pub struct Local {
    pub roots: Roots,
    /// Six hex digits, the same for the same state and instance.
    pub id: String,
    pub network: Network,
    pub image: Image,
}

/// The id of an instance: two checkouts with environments of the same name do not meet.
#[must_use]
pub fn instance_id(state: &str, instance: &str) -> String {
    hex::encode(&Sha256::digest(format!("{state}\n{instance}"))[..3])
}

/// What the folder of an instance on this host says of its owner.
#[must_use]
pub fn owner_of(roots: &Roots, id: &str) -> Option<String> {
    std::fs::read_to_string(folder(roots, id).join(OWNER)).ok()
}

/// Writes down in the instance's folder whose it is.
///
/// # Errors
/// When the folder cannot be written.
pub fn note_owner(roots: &Roots, id: &str, text: &str) -> Result<(), LocalError> {
    if owner_of(roots, id).as_deref() == Some(text) {
        return Ok(());
    }
    disk::note(&folder(roots, id), OWNER, text)
}

/// Has this host anything of an instance of that id?
#[must_use]
pub fn is_here(roots: &Roots, id: &str) -> bool {
    folder(roots, id).exists()
}

const OWNER: &str = "state.json";

fn folder(roots: &Roots, id: &str) -> PathBuf {
    roots.data.join("instances").join(id)
}

impl Local {
    fn instance_folder(&self) -> PathBuf {
        folder(&self.roots, &self.id)
    }

    fn machine_folder(&self, name: &str) -> PathBuf {
        self.instance_folder().join("machines").join(name)
    }

    /// Host interface of the bridge, at most 15 characters.
    #[must_use]
    pub fn bridge(&self) -> String {
        format!("andamio-{}", self.id)
    }

    /// What is there now.
    #[must_use]
    pub fn observe(&self, topology: &Topology) -> Inventory {
        let machines = topology.machines.iter().map(|m| self.found(m)).collect();
        let surplus = list(&self.instance_folder().join("machines"))
            .into_iter()
            .filter(|name| topology.machine(name).is_none() && !name.contains('.'))
            .collect();
        Inventory { machines, surplus }
    }

    fn found(&self, machine: &Machine) -> Found {
        let folder = self.machine_folder(&machine.name);
        let state = if !folder.join(disk::RECORD).exists() {
            MachineState::Missing
        } else if cgroup::populated(&self.id, &machine.name) {
            MachineState::Running
        } else {
            MachineState::Stopped
        };
        let record = disk::Record::read(&folder);
        Found {
            name: machine.name.clone(),
            address: machine.address,
            port: ports::SSH,
            user: "root".to_owned(),
            state,
            host_key: std::fs::read_to_string(folder.join(disk::HOST_KEY)).unwrap_or_default(),
            outdated: record.as_ref().is_ok_and(|r| !r.same_shape(&self.record(machine))),
            disk_bytes: record.map_or(0, |r| r.disk_bytes),
            read_only: state == MachineState::Running && self.disk_is_read_only(&machine.name),
            booting: state == MachineState::Running && disk::started_within(&folder, BOOT),
        }
    }

    /// Does the machine run?
    #[must_use]
    pub fn runs(&self, name: &str) -> bool {
        cgroup::populated(&self.id, name)
    }

    /// Is there anything of this instance on the host?
    #[must_use]
    pub fn exists(&self) -> bool {
        self.instance_folder().exists()
            || Path::new("/sys/class/net").join(self.bridge()).exists()
            || cgroup::any(&self.id)
    }

    /// Names of all machines that have a folder or a control group.
    #[must_use]
    pub fn leftovers(&self) -> Vec<String> {
        let mut names = list(&self.instance_folder().join("machines"));
        names.extend(cgroup::machines(&self.id));
        names.sort();
        names.dedup();
        names
    }
}

/// Names in a folder; empty when it is not there.
fn list(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
