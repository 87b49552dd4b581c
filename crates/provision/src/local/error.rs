use super::reserve::Room;
use andamio_spec::units::format_bytes;
use std::io;
use std::path::{Path, PathBuf};

/// What a person does about a disk of the host that is nearly full.
pub(super) const ROOM: &str = "free some space there (`du -xh --max-depth=3 / | sort -h | tail` shows what is large), then run the same \
                               command again";

/// How much is there, and what the rest is kept for.
pub(super) fn short(folder: &Path, room: &Room) -> String {
    format!(
        "{} are free below {}, and {} are kept there: on a full disk the machines' own disks become read-only",
        format_bytes(room.free_bytes),
        folder.display(),
        format_bytes(room.reserve_bytes)
    )
}

/// Why something could not be done on this host, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("cannot {action} {path}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot start `{program}`")]
    Spawn { program: String, source: io::Error },
    #[error("`{program}` failed: {output}")]
    Tool { program: String, output: String },
    #[error("the machine image could not be built: {output}")]
    Image { output: String },
    #[error("{machine} did not start: {console}")]
    Start { machine: String, console: String },
    #[error("{machine} did not end within {seconds} s after it was killed")]
    Stuck { machine: String, seconds: u64 },
    #[error("{image} is still in use {seconds} s after its machine ended")]
    Mounted { image: PathBuf, seconds: u64 },
    #[error("this host has an interface {interface} that is not Andamio's bridge")]
    InterfaceTaken { interface: String },
    #[error("network {network} is taken by {owner}")]
    NetworkTaken { network: String, owner: String },
    #[error("no /24 of 198.18.0.0/15 is free on this host: taken by {owners}")]
    NoNetwork { owners: String },
    #[error("the machines cannot be reached: {stray}")]
    Stray { stray: String },
    #[error("{}", short(folder, room))]
    Room { folder: PathBuf, room: Room },
    #[error("the record of {machine} is damaged")]
    Record { machine: String, source: serde_json::Error },
}

impl LocalError {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// Stable, as in docs/errors.md.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Room { .. } => "disk",
            _ => "local",
        }
    }

    /// What a person can do.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Io { source, .. } if source.raw_os_error() == Some(nix::libc::ENOSPC) => {
                "the disk is full: free some space, then run the same command again"
            }
            Self::Io { source, .. } if source.raw_os_error() == Some(nix::libc::EROFS) => {
                "that file system is read-only: mount it for writing, then run the same command again"
            }
            Self::Io { .. } => "run as root, check the folder, then run the same command again",
            Self::Spawn { .. } => "install the program, then run the same command again",
            Self::Tool { .. } => "mend what it says, then run the same command again",
            Self::Start { .. } => {
                "mend what it says, then run the same command again; when the machine image is damaged, take \
                 all environments down and remove /var/cache/andamio/images: it is built anew"
            }
            Self::InterfaceTaken { .. } => {
                "remove it (ip link delete NAME) or give it another name, then run the same command again"
            }
            Self::Image { .. } => {
                "check that the package mirror can be reached (apt-get update), then run the same command again"
            }
            Self::Stuck { .. } => {
                "a process of it hangs in the kernel; look at it with ps, then run the same command again"
            }
            Self::Mounted { .. } => {
                "the host's disk may be slow or full, or somebody mounted the file; see `losetup -l`, then run the same command again"
            }
            Self::NetworkTaken { .. } => {
                "choose another `network` for the environment, or take the other one down"
            }
            Self::NoNetwork { .. } => {
                "take an instance down, or end what has that range of addresses"
            }
            Self::Stray { .. } => {
                "let that rule leave 198.18.0.0/15 alone (most VPNs can exclude a range), then run the same command again"
            }
            Self::Room { .. } => ROOM,
            Self::Record { .. } => {
                "put machine.json in that folder back from a copy; without one, only `andamio down` and `up` \
                 help, which loses the machine's data"
            }
        }
    }
}
