//! Creating, starting and destroying machines.

use super::disk::{self, CONSOLE, Record, Seed};
use super::host::free_bytes;
use super::{Local, LocalError, cgroup, filesystem, tool};
use andamio_spec::Group;
use andamio_spec::topology::Machine;
use nix::sys::statvfs::statvfs;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

impl Local {
    pub(super) fn record(&self, machine: &Machine) -> Record {
        let folder = self.machine_folder(&machine.name);
        Record {
            name: machine.name.clone(),
            guest: self.guest(machine),
            address: machine.address,
            gateway: self.network.gateway(),
            bridge: self.bridge(),
            image: self.image.folder.clone(),
            vcpu: machine.size.vcpu,
            memory_bytes: machine.size.memory_bytes,
            disk_bytes: machine.disk_bytes,
            // Overlay on overlay does not work: container storage is the disk without the image below.
            binds: vec![(
                folder.join(filesystem::POINT).join("containers"),
                filesystem::CONTAINERS.to_owned(),
            )],
        }
    }

    /// systemd-nspawn names the host's interface `vb-GUEST`, cut at 15 characters.
    pub(super) fn guest(&self, machine: &Machine) -> String {
        let short: String = machine.name.chars().take(2).collect();
        format!("{}{short}{}", self.id, machine.index)
    }

    /// A new disk, ready to be started.
    ///
    /// # Errors
    /// When the host's disk cannot be written.
    pub async fn create(&self, machine: &Machine, seed: &Seed<'_>) -> Result<(), LocalError> {
        disk::make(&self.roots.data, 0o700)?;
        let folder = self.machine_folder(&machine.name);
        if let Some(parent) = folder.parent() {
            disk::make(parent, 0o700)?;
        }
        disk::create(&folder, &self.record(machine), seed).await
    }

    /// Starts it, detached from this process. It is up when it answers SSH, which the caller waits
    /// for; `launcher` is the program and first arguments that end in [`super::launch`].
    ///
    /// # Errors
    /// When a control group cannot be made, its disk not be used, or the launcher not be started.
    pub async fn start(
        &self,
        machine: &Machine,
        launcher: &[String],
    ) -> Result<Started, LocalError> {
        let folder = self.machine_folder(&machine.name);
        let image = folder.join(filesystem::IMAGE);
        filesystem::released(&image).await?;
        let mut record = Record::read(&folder)?;
        // A machine that was made before has no disk of its own.
        let repaired = if image.exists() { filesystem::check(&image, &[]).await? } else { None };
        let size = machine.size;
        if (record.vcpu, record.memory_bytes) != (size.vcpu, size.memory_bytes) {
            record.vcpu = size.vcpu;
            record.memory_bytes = size.memory_bytes;
            record.write(&folder)?;
        }
        if record.grows_to(machine.disk_bytes) {
            filesystem::grow(&image, machine.disk_bytes).await?;
            record.disk_bytes = machine.disk_bytes;
            record.write(&folder)?;
        }
        let groups = cgroup::create(
            &self.id,
            &machine.name,
            size.memory_bytes,
            size.vcpu,
            weight(machine.group),
        )?;
        clear_traces(&record.guest);
        let console = folder.join(CONSOLE);
        let log = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(&console)
            .map_err(LocalError::io("open", &console))?;
        let copy = log.try_clone().map_err(LocalError::io("open", &console))?;
        let program = launcher.first().map_or("andamio", String::as_str);
        let child = Command::new(program)
            .args(launcher.iter().skip(1))
            .arg(&folder)
            .args(&groups)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(copy)
            .kill_on_drop(false)
            .spawn()
            .map_err(|source| LocalError::Spawn { program: program.to_owned(), source })?;
        Ok(Started { machine: machine.name.clone(), child, console, repaired })
    }

    /// Ends the machine at once (a power cut) and keeps its disk.
    ///
    /// # Errors
    /// When its processes do not end.
    pub async fn kill(&self, name: &str) -> Result<(), LocalError> {
        cgroup::kill(&self.id, name).await?;
        let folder = self.machine_folder(name);
        filesystem::released(&folder.join(filesystem::IMAGE)).await?;
        if let Ok(record) = Record::read(&folder) {
            clear_traces(&record.guest);
        }
        Ok(())
    }

    /// Ends the machine and removes its disk.
    ///
    /// # Errors
    /// When its processes do not end or its folder cannot be removed.
    pub async fn destroy(&self, name: &str) -> Result<(), LocalError> {
        self.kill(name).await?;
        let folder = self.machine_folder(name);
        let removed = tokio::task::spawn_blocking(move || disk::remove(&folder)).await;
        removed.unwrap_or(Ok(()))
    }

    /// Keeps the certificate of the instance's authority where programs of this host find it.
    ///
    /// # Errors
    /// When the instance's folder cannot be written.
    pub fn publish(&self, certificate: &str) -> Result<(), LocalError> {
        disk::make(&self.instance_folder(), 0o700)?;
        disk::put(&self.instance_folder(), "authority.pem", certificate.as_bytes(), 0o644)
    }

    /// Removes what belongs to the instance as a whole, after its machines.
    ///
    /// # Errors
    /// When the bridge, the address translation or a folder cannot be removed.
    pub async fn destroy_instance(&self) -> Result<(), LocalError> {
        self.network_down().await?;
        cgroup::remove_instance(&self.id);
        disk::remove(&self.instance_folder())?;
        self.remove_empty_folders();
        Ok(())
    }

    /// The folders themselves go with the last instance; one that is not empty stays.
    pub(super) fn remove_empty_folders(&self) {
        for folder in ["instances", "networks", ""] {
            let _ = std::fs::remove_dir(self.roots.data.join(folder));
        }
    }

    /// What the host has left for disks.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        free_bytes(&self.roots.data)
    }

    /// Bytes that the machine's file system holds, and how many it can; `None` where it does not run, or has no
    /// file system of its own.
    #[must_use]
    pub fn disk(&self, name: &str) -> Option<(u64, u64)> {
        if !self.machine_folder(name).join(filesystem::IMAGE).exists() {
            return None;
        }
        let stat = statvfs(&cgroup::root(&self.id, name)?).ok()?;
        let whole = stat.blocks() * stat.fragment_size();
        // What it keeps back for itself nobody can have.
        Some((whole - stat.blocks_available() * stat.fragment_size(), whole))
    }

    /// Can nothing be written to the machine's disk any more?
    pub(super) fn disk_is_read_only(&self, name: &str) -> bool {
        let mounts = cgroup::first(&self.id, name).map(|first| first.join("mountinfo"));
        let text = mounts.and_then(|file| std::fs::read_to_string(file).ok());
        text.is_some_and(|text| filesystem::is_read_only(&text))
    }

    /// Processes and threads of a machine, and how many it may have.
    #[must_use]
    pub fn tasks(&self, name: &str) -> Option<(u64, u64)> {
        cgroup::tasks(&self.id, name)
    }

    /// Resident memory of a machine, bytes.
    #[must_use]
    pub fn memory(&self, name: &str) -> u64 {
        cgroup::memory(&self.id, name)
    }
}

/// A machine on its way up.
pub struct Started {
    machine: String,
    child: tokio::process::Child,
    console: PathBuf,
    /// What was repaired on its disk before, where data may have been lost.
    pub repaired: Option<String>,
}

impl Started {
    /// Ends only if the machine ends: with what its console said.
    pub async fn failure(&mut self) -> LocalError {
        let _ = self.child.wait().await;
        let said = std::fs::read_to_string(&self.console).unwrap_or_default();
        let lines: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).collect();
        let from = lines.len().saturating_sub(5);
        LocalError::Start { machine: self.machine.clone(), console: lines[from..].join(" / ") }
    }
}

/// A machine that was killed leaves these behind, and they would stop its next start.
fn clear_traces(guest: &str) {
    for folder in ["propagate", "unix-export"] {
        let _ = std::fs::remove_dir_all(Path::new("/run/systemd/nspawn").join(folder).join(guest));
    }
    let interface = format!("vb-{guest}");
    if Path::new("/sys/class/net").join(&interface).exists() {
        // Usually gone with its peer; deleting it is quick and happens once a start.
        let _ = std::process::Command::new(tool::find("ip"))
            .args(["link", "del", &interface])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// Of a machine's processor time while all processors are busy. Nobody waits for a queue, and a broker that starts
/// takes a processor for seconds: it took them from those whom people wait for.
fn weight(group: Group) -> u64 {
    if group == Group::Rabbitmq { 25 } else { 100 }
}
