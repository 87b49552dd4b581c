//! Breaking a machine on purpose, from outside of it, and putting it back.

use super::network::feed;
use super::{Local, LocalError, cgroup, filesystem};
use andamio_spec::topology::Machine;
use std::net::Ipv4Addr;
use std::path::Path;

/// What can be done to a running machine that [`FaultInjection::revert`] takes back. None of it changes what is on its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineFault {
    /// Its processes stop where they are; its connections stay open and silent.
    Freeze,
    /// Its network cable is out: nobody reaches it, and neither does the operator.
    Link,
    /// No packet between it and these; everybody else reaches it.
    Partition(Vec<Ipv4Addr>),
    /// Nothing more can be written: its file system has no block left.
    FullDisk,
}

/// A machine that can be broken; small enough to be named on the command line of who puts it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultInjection {
    pub instance: String,
    pub machine: String,
    /// The host's end of its network.
    pub interface: String,
    pub address: Ipv4Addr,
}

impl Local {
    /// The machine, as something that can be broken.
    #[must_use]
    pub fn injection(&self, machine: &Machine) -> FaultInjection {
        FaultInjection {
            instance: self.id.clone(),
            machine: machine.name.clone(),
            interface: format!("vb-{}", self.guest(machine)),
            address: machine.address,
        }
    }
}

impl FaultInjection {
    /// Breaks it.
    ///
    /// # Errors
    /// When the machine does not run, or `ip` or `nft` refuse.
    pub async fn inject(&self, kind: &MachineFault) -> Result<(), LocalError> {
        match kind {
            MachineFault::Freeze => cgroup::freeze(&self.instance, &self.machine, true),
            MachineFault::Link => feed("ip", &["link", "set", &self.interface, "down"], "").await,
            MachineFault::Partition(from) => {
                let others: Vec<String> = from.iter().map(ToString::to_string).collect();
                let (own, others) = (self.address, others.join(", "));
                let table = self.table();
                // Frames between two ports of the bridge; the host's own pass elsewhere.
                let rules = format!(
                    "table {table} {{\n chain forward {{\n  type filter hook forward priority filter; policy accept;\n  \
                     ip saddr {own} ip daddr {{ {others} }} drop\n  ip daddr {own} ip saddr {{ {others} }} drop\n }}\n}}\n"
                );
                feed("nft", &["-f", "-"], &rules).await
            }
            MachineFault::FullDisk => {
                let root = cgroup::root(&self.instance, &self.machine);
                let root = root.ok_or_else(|| LocalError::Start {
                    machine: self.machine.clone(),
                    console: "it does not run".to_owned(),
                })?;
                let filled = tokio::task::spawn_blocking(move || filesystem::fill(&root)).await;
                filled.unwrap_or(Ok(()))
            }
        }
    }

    /// Takes back whatever was done to it. Safe to repeat, and where nothing was.
    ///
    /// # Errors
    /// When `ip` or `nft` refuse.
    pub async fn revert(&self) -> Result<(), LocalError> {
        cgroup::freeze(&self.instance, &self.machine, false)?;
        if let Some(root) = cgroup::root(&self.instance, &self.machine) {
            filesystem::unfill(&root)?;
        }
        if Path::new("/sys/class/net").join(&self.interface).exists() {
            feed("ip", &["link", "set", &self.interface, "up"], "").await?;
        }
        let table = self.table();
        feed("nft", &["-f", "-"], &format!("add table {table}\ndelete table {table}\n")).await
    }

    fn table(&self) -> String {
        format!("bridge andamio_{}", self.instance)
    }
}
