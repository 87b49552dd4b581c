//! The base that a Containerfile can begin with where no registry can be reached: a minimal Debian 13 from the same
//! packages as the machines. Made once a host, as one archive, cached by the digest of how it is made.

use super::image::{SUITE, UNNEEDED, lock, mmdebstrap};
use super::{LocalError, Roots, disk};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// What mmdebstrap is told, beside the target, which comes last.
#[must_use]
pub fn base_arguments() -> Vec<String> {
    let mut arguments = vec![
        "--variant=minbase".to_owned(),
        "--include=ca-certificates".to_owned(),
        "--aptopt=APT::Install-Recommends \"false\"".to_owned(),
    ];
    arguments.extend(UNNEEDED.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
    // Who runs an image says what they are.
    let hook = "rm -f \"$1\"/etc/resolv.conf \"$1\"/etc/hostname && : > \"$1\"/etc/machine-id";
    arguments.push(format!("--customize-hook={hook}"));
    arguments.push(SUITE.to_owned());
    arguments
}

/// The archive, which is made unless it is there; says what it is doing. Two at once: the second waits.
///
/// # Errors
/// When the package mirror or the disk does not deliver.
pub async fn base(roots: &Roots, mut doing: impl FnMut(&str)) -> Result<PathBuf, LocalError> {
    let arguments = base_arguments();
    let digest = hex::encode(&Sha256::digest(arguments.join("\n"))[..8]);
    let path = roots.cache.join("images").join(format!("base-{digest}.tar.gz"));
    if path.exists() {
        return Ok(path);
    }
    disk::make(path.parent().unwrap_or(Path::new("/")), 0o755)?;
    let lock = lock(path.with_extension("lock"), &mut doing).await?;
    if !path.exists() {
        let unfinished = path.with_file_name(format!("base-{digest}.building.tar.gz"));
        disk::remove(&unfinished)?;
        doing("making a minimal Debian 13 for images (about half a minute, once)");
        mmdebstrap(&arguments, &unfinished, &mut doing).await?;
        fs::rename(&unfinished, &path).map_err(LocalError::io("rename into", &path))?;
    }
    drop(lock);
    Ok(path)
}
