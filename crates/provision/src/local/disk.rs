//! A machine's folder: its record, its disk (which holds the overlay's upper layer and the containers) and
//! what that is seeded with before its first start.

use super::{LocalError, filesystem};
use nix::unistd::{Gid, Uid, chown};
use serde::{Deserialize, Serialize};
use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub(super) const RECORD: &str = "machine.json";
pub(super) const HOST_KEY: &str = "host_key.pub";
pub(super) const CONSOLE: &str = "console.log";

/// What the launcher needs to start it, now and after a restart of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) name: String,
    /// systemd-nspawn's name for it: short, because the host's interface is named after it.
    pub(super) guest: String,
    pub(super) address: Ipv4Addr,
    pub(super) gateway: Ipv4Addr,
    pub(super) bridge: String,
    pub(super) image: PathBuf,
    pub(super) vcpu: u32,
    pub(super) memory_bytes: u64,
    /// Of its file system; 0 for one that was made before machines had one of their own.
    #[serde(default)]
    pub(super) disk_bytes: u64,
    /// Host folder → folder in the machine.
    pub(super) binds: Vec<(PathBuf, String)>,
}

impl Record {
    pub(super) fn read(folder: &Path) -> Result<Self, LocalError> {
        let path = folder.join(RECORD);
        let text = fs::read(&path).map_err(LocalError::io("read", &path))?;
        serde_json::from_slice(&text)
            .map_err(|source| LocalError::Record { machine: folder.display().to_string(), source })
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), LocalError> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|source| LocalError::Record { machine: self.name.clone(), source })?;
        put(folder, RECORD, &text, 0o600)
    }

    /// Same size as is declared; an image is only looked at when a machine is made.
    pub(super) fn same_shape(&self, declared: &Self) -> bool {
        self.vcpu == declared.vcpu
            && self.memory_bytes == declared.memory_bytes
            && !self.grows_to(declared.disk_bytes)
    }

    /// Is its file system smaller than that? It never shrinks, which the plan refuses.
    pub(super) fn grows_to(&self, disk_bytes: u64) -> bool {
        self.disk_bytes > 0 && self.disk_bytes < disk_bytes
    }
}

/// What goes onto a new disk so that the machine can be reached.
pub struct Seed<'a> {
    /// Host private and public key.
    pub host_key: (&'a str, &'a str),
    /// Line of root's authorized_keys.
    pub operator: &'a str,
    /// Content of /etc/resolv.conf.
    pub resolver: &'a str,
}

/// Makes the folder complete, or not at all.
pub(super) async fn create(
    folder: &Path,
    record: &Record,
    seed: &Seed<'_>,
) -> Result<(), LocalError> {
    let fresh = folder.with_extension("new");
    remove(&fresh)?;
    let content = fresh.join("content");
    for part in ["content/upper", "content/work", "content/containers", "root", filesystem::POINT] {
        make(&fresh.join(part), 0o755)?;
    }
    let upper = content.join("upper");
    for (dir, mode) in [
        ("etc", 0o755),
        ("etc/ssh", 0o755),
        ("etc/systemd", 0o755),
        ("etc/systemd/network", 0o755),
        ("root", 0o700),
        ("root/.ssh", 0o700),
    ] {
        make(&upper.join(dir), mode)?;
    }
    let network = format!(
        "[Match]\nName=host0\n\n[Network]\nAddress={}/24\nGateway={}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n",
        record.address, record.gateway
    );
    let hosts = format!("127.0.0.1 localhost\n{} {}\n", record.address, record.name);
    let (private, public) = seed.host_key;
    for (file, content, mode) in [
        ("etc/hostname", format!("{}\n", record.name).as_str(), 0o644),
        ("etc/hosts", &hosts, 0o644),
        ("etc/resolv.conf", seed.resolver, 0o644),
        // Before 80-container-host0.network, which would ask for an address by DHCP.
        ("etc/systemd/network/10-host0.network", &network, 0o644),
        ("etc/ssh/ssh_host_ed25519_key", private, 0o600),
        ("etc/ssh/ssh_host_ed25519_key.pub", public, 0o644),
        ("root/.ssh/authorized_keys", seed.operator, 0o600),
    ] {
        put(&upper, file, content.as_bytes(), mode)?;
    }
    filesystem::make(&fresh.join(filesystem::IMAGE), record.disk_bytes, &content).await?;
    remove(&content)?;
    put(&fresh, HOST_KEY, public.trim().as_bytes(), 0o644)?;
    record.write(&fresh)?;
    remove(folder)?;
    fs::rename(&fresh, folder).map_err(LocalError::io("rename into", folder))?;
    if let Some(parent) = folder.parent() {
        // The rename must survive a power cut, or a later run would not know its own machine.
        let opened = fs::File::open(parent).and_then(|f| f.sync_all());
        opened.map_err(LocalError::io("sync", parent))?;
    }
    Ok(())
}

/// Was the machine started so recently? Its console is made new at every start.
pub(super) fn started_within(folder: &Path, span: std::time::Duration) -> bool {
    let console = fs::metadata(folder.join(CONSOLE)).and_then(|meta| meta.modified());
    console.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < span))
}

pub(super) fn remove(folder: &Path) -> Result<(), LocalError> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(LocalError::Io { action: "remove", path: folder.into(), source: e })
        }
        _ => Ok(()),
    }
}

pub(super) fn make(folder: &Path, mode: u32) -> Result<(), LocalError> {
    fs::create_dir_all(folder).map_err(LocalError::io("create", folder))?;
    fs::set_permissions(folder, Permissions::from_mode(mode))
        .map_err(LocalError::io("set the mode of", folder))
}

/// A file beside machines, in a folder that may not be there yet.
pub(super) fn note(folder: &Path, file: &str, text: &str) -> Result<(), LocalError> {
    fs::create_dir_all(folder).map_err(LocalError::io("create", folder))?;
    put(folder, file, text.as_bytes(), 0o600)
}

pub(super) fn put(folder: &Path, file: &str, content: &[u8], mode: u32) -> Result<(), LocalError> {
    let path = folder.join(file);
    let write = || {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let mut out = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&path)?;
        out.write_all(content)?;
        out.set_permissions(Permissions::from_mode(mode))?;
        chown(&path, Some(Uid::from_raw(0)), Some(Gid::from_raw(0)))?;
        out.sync_all()
    };
    write().map_err(LocalError::io("write", &path))
}
