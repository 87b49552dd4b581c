//! Folders with data: there with what they held, or begun anew after that was said and asked.
//!
//! That a folder was seen with data in it is remembered in the node's state, so that a new machine's empty one is not
//! taken for a loss.

use super::file::{look, own, ownership};
use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Context, Failure, Result};
use crate::machine::Machine;
use crate::{STATE, disk, process};
use andamio_manifest::{Kind, Manifest, Store};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An empty database is made in seconds; a busy disk may take longer.
const INIT: Duration = Duration::from_secs(180);

impl Resource for Store {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let path = Path::new(&self.path);
        let mut diff = Diff::default();
        match look(path)? {
            Some(meta) if !meta.is_dir() && !path.is_dir() => {
                return Err(Failure::new(format!("{} is no folder", self.path)));
            }
            Some(_) => {
                let meta = fs::metadata(path).during(format!("looking at {}", self.path))?;
                diff.extend(ownership(machine, &meta, self.mode, &self.owner, &self.group)?);
                diff.same_content = true;
            }
            None => diff.plus(format!("folder, mode {:04o}", self.mode)),
        }
        if begun(self).exists() {
            diff.minus("an empty one that was not finished");
            diff.plus("empty");
            diff.same_content = false;
            return Ok(diff);
        }
        if holds(self) {
            return Ok(diff);
        }
        if remembered(self).exists() {
            diff.minus("the data that was in it: it is gone");
            diff.plus("empty");
            diff.disrupts = true;
            diff.same_content = false;
        } else if !self.init.is_empty() {
            diff.plus("empty");
            diff.same_content = false;
        }
        Ok(diff)
    }

    async fn make(&self, machine: &mut Machine, say: &Say) -> Result<String> {
        let path = Path::new(&self.path);
        let (uid, gid) = machine.accounts()?.ids(&self.owner, &self.group)?;
        let unfinished = begun(self).exists();
        let empty = unfinished || !holds(self);
        if empty {
            // Who still has the former files open would write into them.
            let systemd = machine.systemd().await?;
            for unit in &self.units {
                if systemd.unit(unit).await?.load == "loaded" {
                    say.say(format!("stopping {unit}"));
                    systemd.job("StopUnit", unit).await?;
                }
            }
        }
        disk::create_parents(path)?;
        if look(path)?.is_none() {
            fs::create_dir(path).during(format!("creating {}", self.path))?;
        }
        let real = fs::canonicalize(path).during(format!("following {}", self.path))?;
        own(&real, uid, gid, self.mode)?;
        if empty {
            if !self.init.is_empty() {
                if unfinished {
                    clear(&real)?;
                }
                disk::write_state(&begun(self), b"")?;
                let argv: Vec<&str> = self.init.iter().map(String::as_str).collect();
                process::run(&argv, "", INIT).await?;
                disk::remove(&begun(self))?;
            }
            // From now on what is missing is what the service has not made yet.
            disk::remove(&remembered(self))?;
        }
        disk::sync_folder(&real)?;
        Ok(String::new())
    }

    fn doing(&self) -> String {
        format!("making {}", self.path)
    }
}

/// At the end of a run: which of the folders have data now.
///
/// # Errors
/// When it cannot be written down.
pub(crate) fn remember(manifest: &Manifest) -> Result<()> {
    let stores = manifest.resources.iter().filter_map(|resource| match &resource.kind {
        Kind::Store(store) => Some(store),
        _ => None,
    });
    for store in stores.filter(|store| holds(store)) {
        let path = remembered(store);
        if !path.exists() {
            disk::write_state(&path, b"")?;
        }
    }
    Ok(())
}

fn holds(store: &Store) -> bool {
    store.holds.iter().any(|name| Path::new(&store.path).join(name).exists())
}

/// What a command left that was killed at it.
fn clear(folder: &Path) -> Result<()> {
    let what = format!("emptying {}", folder.display());
    for entry in fs::read_dir(folder).during(&what)? {
        let entry = entry.during(&what)?;
        let path = entry.path();
        if entry.file_type().during(&what)?.is_dir() {
            fs::remove_dir_all(&path).during(&what)?;
        } else {
            disk::remove(&path)?;
        }
    }
    Ok(())
}

/// There while an empty one is being made.
fn begun(store: &Store) -> PathBuf {
    let mut name = remembered(store).into_os_string();
    name.push(".begun");
    name.into()
}

fn remembered(store: &Store) -> PathBuf {
    Path::new(STATE).join("stores").join(store.path.replace('/', "_"))
}
