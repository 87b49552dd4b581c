//! Directories: mode, owner, and for drop-in folders that nothing undeclared is in them.

use super::file::{kind, look, own, ownership};
use super::{Resource, Say};
use crate::diff::Diff;
use crate::disk;
use crate::failure::{Context, Failure, Result};
use crate::machine::Machine;
use andamio_manifest::{Directory, Kind};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

impl Resource for Directory {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let path = Path::new(&self.path);
        let mut diff = Diff::default();
        match look(path)? {
            None => {
                diff.plus(format!("directory, mode {:04o}", self.mode));
                diff.plus(format!("owner {}:{}", self.owner, self.group));
            }
            // A link to a directory is what some packages ship; where it points is followed.
            Some(meta) if meta.is_dir() || path.is_dir() => {
                let meta = fs::metadata(path).during(format!("looking at {}", self.path))?;
                diff.extend(ownership(machine, &meta, self.mode, &self.owner, &self.group)?);
                for file in undeclared(self, machine)? {
                    diff.minus(format!("{} (no resource declares it)", file.display()));
                }
            }
            Some(meta) => {
                let what = kind(path, &meta);
                return Err(Failure::new(format!("{} is a {what}, not a directory", self.path)));
            }
        }
        Ok(diff)
    }

    async fn make(&self, machine: &mut Machine, _: &Say) -> Result<String> {
        let path = Path::new(&self.path);
        let (uid, gid) = machine.accounts()?.ids(&self.owner, &self.group)?;
        disk::create_parents(path)?;
        let parent = disk::parent(path)?;
        if look(path)?.is_none() {
            fs::create_dir(path).during(format!("creating {}", self.path))?;
            own(path, uid, gid, self.mode)?;
            disk::sync_folder(parent)?;
        }
        let real = fs::canonicalize(path).during(format!("following {}", self.path))?;
        own(&real, uid, gid, self.mode)?;
        for file in undeclared(self, machine)? {
            stop_unit_of(&file, machine).await?;
            disk::remove(&file)?;
            machine.reload_needed |= self.path.contains("/systemd");
        }
        disk::sync_folder(&real)?;
        Ok(String::new())
    }

    fn doing(&self) -> String {
        format!("making {}", self.path)
    }
}

/// Files of an exclusive folder that the manifest does not declare, in order of their names.
/// Folders in it are left alone: they are somebody's data, not drop-ins.
fn undeclared(declared: &Directory, machine: &Machine) -> Result<Vec<PathBuf>> {
    if !declared.exclusive {
        return Ok(Vec::new());
    }
    let file_of = |kind: &Kind| match kind {
        Kind::File(file) if file.content.is_some() => Some(PathBuf::from(&file.path)),
        _ => None,
    };
    let files: BTreeSet<PathBuf> =
        machine.manifest.resources.iter().filter_map(|r| file_of(&r.kind)).collect();
    let mut found = Vec::new();
    let what = format!("listing {}", declared.path);
    for entry in fs::read_dir(&declared.path).during(&what)? {
        let entry = entry.during(&what)?;
        let path = Path::new(&declared.path).join(entry.file_name());
        if !entry.file_type().during(&what)?.is_dir() && !files.contains(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What a unit file started would go on without it: it is stopped first, so that a kill in between
/// leaves the file for the next run.
async fn stop_unit_of(file: &Path, machine: &mut Machine) -> Result<()> {
    let part = |name: Option<&std::ffi::OsStr>| name.and_then(|n| n.to_str()).map(str::to_owned);
    let (Some(stem), Some(kind)) = (part(file.file_stem()), part(file.extension())) else {
        return Ok(());
    };
    let unit = match &*kind {
        // podman's generator makes a service of it.
        "container" => format!("{stem}.service"),
        "service" | "timer" | "socket" => format!("{stem}.{kind}"),
        _ => return Ok(()),
    };
    let systemd = machine.systemd().await?;
    if systemd.unit(&unit).await?.load == "loaded" {
        systemd.job("StopUnit", &unit).await?;
    }
    Ok(())
}
