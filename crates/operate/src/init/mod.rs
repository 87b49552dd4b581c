//! The first file of a project: written from what its repository shows, with an identity to read its
//! secrets and a recovery key for the day that identity is lost. Nothing that exists is overwritten.

mod compose;
mod containerfile;
mod name;
mod repository;
mod tree;
mod write;

use crate::actor::beside;
use crate::key::Member;
use crate::{Failure, Kind, new_identity, public_keys, recovery_key};
use andamio_spec::{Finding, parse};
use repository::look;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What the caller knows.
pub struct Init {
    /// Where andamio.toml will be.
    pub file: PathBuf,
    pub folder: PathBuf,
    pub identity: PathBuf,
    /// Name for the identity in `team`.
    pub user: String,
}

#[derive(Debug)]
pub struct Made {
    /// The identity's public key, and whether it is new.
    pub public: String,
    pub new_identity: bool,
    /// `None` in a project that had an andamio.toml already.
    pub project: Option<New>,
    /// Files that were written or added to.
    pub written: Vec<PathBuf>,
}

#[derive(Debug)]
pub struct New {
    /// Private half of the recovery key: shown once, kept nowhere.
    pub recovery: String,
    pub recovery_public: String,
    /// (what, value, why)
    pub found: Vec<[String; 3]>,
    pub warnings: Vec<String>,
    pub containerfile: bool,
}

/// Writes what is missing.
///
/// # Errors
/// [`Kind::Refused`] when nothing is; and when a file cannot be written.
pub fn init(init: &Init) -> Result<Made, Failure> {
    let known = public_keys(&init.identity)?.into_iter().next();
    let exists = init.file.symlink_metadata().is_ok();
    if exists && known.is_some() {
        return Err(Failure::new(
            Kind::Refused,
            "exists",
            format!("{} is here already, and so is your identity", init.file.display()),
            "edit the file, or move it away to have a new one written; `andamio check` judges it",
        ));
    }
    let mut written = Vec::new();
    let new = known.is_none();
    let public = match known {
        Some(public) => public,
        None => {
            written.extend([init.identity.clone(), beside(&init.identity)]);
            new_identity(&init.identity)?
        }
    };
    ignore(&init.folder, &mut written)?;
    if exists {
        return Ok(Made { public, new_identity: new, project: None, written });
    }
    let found = look(&init.folder);
    let (recovery, recovery_public) = recovery_key();
    let team = [
        Member { key: public.clone(), name: init.user.clone() },
        Member { key: recovery_public.clone(), name: "offline recovery key".to_owned() },
    ];
    let text = write::render(&found, &team);
    let name = init.file.display().to_string();
    if let Some(finding) = parse(&name, &text).findings.iter().find(|f| Finding::is_error(f)) {
        let help = "write andamio.toml by hand; what was found here confuses this version";
        return Err(Failure::new(Kind::Failed, "init", &finding.message, help));
    }
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&init.file)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|e: std::io::Error| cannot(&init.file, &e))?;
    written.insert(0, init.file.clone());
    let project = Some(New {
        recovery,
        recovery_public,
        containerfile: found.source.is_some(),
        found: found.says,
        warnings: found.warnings,
    });
    Ok(Made { public, new_identity: new, project, written })
}

/// The state and the identity in it are never committed.
fn ignore(folder: &Path, written: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let file = folder.join(".gitignore");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(cannot(&file, &e)),
    };
    let has = |line: &str| line.trim().trim_matches('/') == ".andamio";
    if text.lines().any(has) {
        return Ok(());
    }
    let line =
        if text.is_empty() || text.ends_with('\n') { ".andamio/\n" } else { "\n.andamio/\n" };
    let append = fs::OpenOptions::new().create(true).append(true).open(&file);
    append.and_then(|mut out| out.write_all(line.as_bytes())).map_err(|e| cannot(&file, &e))?;
    written.push(file);
    Ok(())
}

fn cannot(file: &Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot write {}: {error}", file.display());
    Failure::new(Kind::Failed, "init", message, "make the folder writable, then run it again")
}

#[cfg(test)]
mod tests;
