use std::io;
use std::path::PathBuf;

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
    #[error("no /24 of 198.18.0.0/15 is free on this host")]
    NoNetwork,
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
            Self::NoNetwork => "take an instance down, or free an address range",
            Self::Record { .. } => {
                "put machine.json in that folder back from a copy; without one, only `andamio down` and `up` \
                 help, which loses the machine's data"
            }
        }
    }
}
