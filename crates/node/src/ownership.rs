//! Whose machine this is, how far it has come, and that only one apply works on it.

use crate::failure::{Context, Failure, Result};
use crate::{STATE, disk};
use andamio_manifest::Manifest;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const LOCK: &str = "/run/andamio-node.lock";
/// Another apply that is about to end is waited for; a stuck one is named.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Generation {
    instance: String,
    /// Empty when an older node wrote it.
    #[serde(default)]
    machine: String,
    generation: u64,
    digest: String,
}

impl Generation {
    fn path() -> PathBuf {
        Path::new(STATE).join("generation.json")
    }

    fn read() -> Result<Option<Self>> {
        let path = Self::path();
        let Some(bytes) = disk::read(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).during(format!(
            "{} is damaged (remove it, and the next `andamio up` writes it anew)",
            path.display()
        ))
    }

    fn of(manifest: &Manifest) -> Self {
        Self {
            instance: manifest.instance.clone(),
            machine: manifest.machine.clone(),
            generation: manifest.generation,
            digest: manifest.digest(),
        }
    }

    /// Whether a machine in this state may take `next`.
    fn admits(&self, next: &Self) -> Result<()> {
        if next.generation < self.generation {
            return Err(Failure::new(format!(
                "this manifest is generation {}, the machine has generation {}: somebody applied a \
                 newer one",
                next.generation, self.generation
            )));
        }
        if next.generation == self.generation && next.digest != self.digest {
            return Err(Failure::new(format!(
                "the machine has generation {} with other content: plan again",
                self.generation
            )));
        }
        Ok(())
    }
}

/// Refuses a manifest that is meant for another machine or comes from another instance.
pub(crate) fn check(manifest: &Manifest) -> Result<()> {
    let name = fs::read_to_string("/etc/hostname").during("reading /etc/hostname")?;
    let name = name.trim();
    let short = name.split('.').next().unwrap_or_default();
    if !manifest.keeps_hostname && manifest.machine != name && manifest.machine != short {
        return Err(Failure::new(format!(
            "this manifest is for {}, this machine is {name}",
            manifest.machine
        )));
    }
    match Generation::read()? {
        Some(own) if own.instance != manifest.instance => Err(Failure::new(format!(
            "this machine belongs to {}, the manifest comes from {}",
            own.instance, manifest.instance
        ))),
        Some(own) if !own.machine.is_empty() && own.machine != manifest.machine => {
            Err(Failure::new(format!(
                "this machine is {} of {}, the manifest is for {}",
                own.machine, own.instance, manifest.machine
            )))
        }
        _ => Ok(()),
    }
}

/// Whether a manifest was ever applied here.
pub(crate) fn known() -> bool {
    Generation::path().exists()
}

/// Instance and generation of the manifest applied last.
pub(crate) fn applied() -> (Option<String>, Option<u64>) {
    let own = Generation::read().ok().flatten();
    own.map_or((None, None), |own| (Some(own.instance), Some(own.generation)))
}

/// Takes the machine for the manifest's instance and generation, before anything is changed.
pub(crate) fn claim(manifest: &Manifest) -> Result<()> {
    let next = Generation::of(manifest);
    if let Some(own) = Generation::read()? {
        own.admits(&next)?;
        if own == next {
            return Ok(());
        }
    }
    let bytes = serde_json::to_vec(&next).during("writing the generation")?;
    disk::write_state(&Generation::path(), &bytes)
}

/// Waits for another apply to end. The lock goes with the returned value, or with the process.
///
/// # Errors
/// When the other one does not end within half a minute.
pub(crate) async fn lock(mut waiting: impl FnMut(String)) -> Result<Flock<File>> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(LOCK)
        .during(format!("opening {LOCK}"))?;
    let begin = Instant::now();
    let mut said = None;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, nix::errno::Errno::EWOULDBLOCK)) => file,
            Err((_, error)) => return Err(error).during(format!("locking {LOCK}")),
        };
        let waited = begin.elapsed();
        if waited > PATIENCE {
            return Err(Failure::new(format!(
                "another apply holds {LOCK} for more than {} s",
                PATIENCE.as_secs()
            )));
        }
        if said.is_none_or(|at: Duration| waited - at > Duration::from_secs(3)) {
            said = Some(waited);
            waiting(format!("waiting for another apply to end ({} s)", waited.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(generation: u64, digest: &str) -> Generation {
        Generation {
            instance: "dev@local".into(),
            machine: "app-1".into(),
            generation,
            digest: digest.into(),
        }
    }

    #[test]
    fn only_forward() {
        let own = generation(7, "a");
        assert!(own.admits(&generation(7, "a")).is_ok());
        assert!(own.admits(&generation(8, "b")).is_ok());
        assert!(own.admits(&generation(6, "a")).is_err());
        assert!(own.admits(&generation(7, "b")).is_err());
    }
}
