//! Files that are whole or not there: written beside, synced, renamed, and the folder synced.

use crate::failure::{Context, Failure, Result};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Writes `path` so that a kill leaves the old file or the new one.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let candidate = stage(path, bytes, mode, None)?;
    commit(&candidate, path)
}

/// Writes a file of the node's own state, creating its folder (0700) when needed.
pub(crate) fn write_state(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.is_dir()) {
        fs::create_dir_all(parent).during(format!("creating {}", parent.display()))?;
        fs::set_permissions(parent, Permissions::from_mode(0o700))
            .during(format!("closing {}", parent.display()))?;
    }
    write(path, bytes, 0o600)
}

/// Reads a file; `None` when it is not there.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).during(format!("reading {}", path.display())),
    }
}

/// Writes the candidate of `path` beside it, synced. The name is fixed, so that what a killed run
/// left behind is overwritten, keeps its suffix for programs that judge by it, and begins with a dot
/// so that no drop-in folder reads it.
pub(crate) fn stage(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<PathBuf> {
    create_parents(path)?;
    let parent = parent(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let candidate = parent.join(format!(".andamio-{name}"));
    let what = format!("writing {}", path.display());
    remove(&candidate)?;
    // O_EXCL never follows a link that someone put there in between.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&candidate)
        .during(&what)?;
    file.write_all(bytes).during(&what)?;
    if let Some((uid, gid)) = owner {
        fchown(&file, Some(uid), Some(gid)).during(&what)?;
    }
    // After the owner: a change of owner clears set-id bits.
    file.set_permissions(Permissions::from_mode(mode)).during(&what)?;
    file.sync_all().during(&what)?;
    Ok(candidate)
}

/// Puts a staged candidate in its place.
pub(crate) fn commit(candidate: &Path, path: &Path) -> Result<()> {
    fs::rename(candidate, path).during(format!("replacing {}", path.display()))?;
    sync_folder(parent(path)?)
}

/// Removes a file or symbolic link; not being there is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).during(format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Creates what is missing of the folders above `path`, root's and readable by all: what needs another
/// owner or mode is declared as a directory of its own.
pub(crate) fn create_parents(path: &Path) -> Result<()> {
    let missing = |folder: &&Path| path.is_absolute() && !folder.is_dir();
    let Some(folder) = path.parent().filter(missing) else { return Ok(()) };
    // What is there already is judged before anything is created below it.
    if let Some(first) = folder.ancestors().find(|step| fs::symlink_metadata(step).is_ok()) {
        parent(&first.join("new"))?;
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .during(format!("creating {}", folder.display()))?;
    folder.ancestors().skip(1).take(2).try_for_each(sync_folder)
}

/// Makes a rename or removal in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).during(format!("syncing {}", folder.display()))
}

/// The folder of `path`, refused when something on the way could have been put there by another
/// account: a symbolic link that root does not own would send root's writing elsewhere.
///
/// # Errors
/// When the folder is missing or not trusted.
pub(crate) fn parent(path: &Path) -> Result<&Path> {
    let parent = path
        .parent()
        .filter(|_| path.is_absolute() && path.file_name().is_some())
        .ok_or_else(|| Failure::new(format!("{} is not an absolute path", path.display())))?;
    let us = nix::unistd::geteuid().as_raw();
    for step in parent.ancestors() {
        let meta = match fs::symlink_metadata(step) {
            Ok(meta) => meta,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Failure::new(format!(
                    "the folder {} does not exist",
                    parent.display()
                )));
            }
            Err(error) => return Err(error).during(format!("looking at {}", step.display())),
        };
        if meta.is_symlink() && meta.uid() != 0 && meta.uid() != us {
            return Err(Failure::new(format!(
                "{} is a symbolic link of uid {}: nothing is written through it",
                step.display(),
                meta.uid()
            )));
        }
    }
    Ok(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.conf");
        // What a killed run left.
        fs::write(folder.path().join(".andamio-a.conf"), "half").unwrap();
        write(&path, b"one", 0o640).unwrap();
        write(&path, b"two", 0o640).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_created_through_a_strangers_link() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/tmp", &link).unwrap();
        if std::os::unix::fs::lchown(&link, Some(12345), None).is_err() {
            return; // Only root can give a link away.
        }
        let path = link.join("andamio-never/a");
        assert!(write(&path, b"", 0o600).unwrap_err().to_string().contains("symbolic link"));
        assert!(!path.exists() && !Path::new("/tmp/andamio-never").exists());
        let path = folder.path().join("b/c/d");
        write(&path, b"", 0o600).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = parent(Path::new("/nowhere/at/all")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at does not exist"), "{error}");
        assert!(parent(Path::new("relative")).is_err());
        assert!(write(Path::new("never-made/a"), b"", 0o600).is_err());
        assert!(!Path::new("never-made").exists());
    }
}
