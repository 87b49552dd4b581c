//! Regular files: content, mode and owner.

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Context, Failure, Result};
use crate::machine::Machine;
use crate::{disk, process};
use andamio_manifest::File;
use std::fs::{self, Metadata, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;
use std::time::Duration;

/// The slowest validator, a full configuration check of a large daemon, takes seconds.
const VALIDATE: Duration = Duration::from_secs(60);

/// Folders whose files systemd, or its quadlet generator, reads.
const UNIT_FOLDERS: [&str; 4] = [
    "/etc/systemd/system/",
    "/etc/containers/systemd/",
    "/run/systemd/system/",
    "/usr/lib/systemd/",
];

impl Resource for File {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let path = Path::new(&self.path);
        let mut diff = Diff::default();
        let meta = look(path)?;
        let Some(content) = &self.content else {
            if meta.is_some() {
                diff.minus(format!("{} exists", self.path));
            }
            return Ok(diff);
        };
        let mut old = String::new();
        match &meta {
            None => {
                diff.plus(format!("mode {:04o}", self.mode));
                diff.plus(format!("owner {}:{}", self.owner, self.group));
            }
            Some(meta) if meta.is_dir() => {
                return Err(Failure::new(format!("{} is a directory", self.path)));
            }
            Some(meta) if !meta.is_file() => {
                diff.minus(kind(path, meta));
                diff.plus(format!("regular file, mode {:04o}", self.mode));
            }
            Some(meta) => {
                diff.extend(ownership(machine, meta, self.mode, &self.owner, &self.group)?);
                let bytes = fs::read(path).during(format!("reading {}", self.path))?;
                if bytes == content.text.as_bytes() {
                    diff.same_content = true;
                    return Ok(diff);
                }
                match String::from_utf8(bytes) {
                    Ok(text) => old = text,
                    Err(_) => diff.minus("binary content"),
                }
            }
        }
        if content.sensitive {
            diff.remark("content differs (secret)");
        } else {
            diff.text(&old, &content.text);
        }
        Ok(diff)
    }

    async fn prepare(&self, machine: &mut Machine) -> Result<()> {
        let Some(content) = &self.content else { return Ok(()) };
        let (uid, gid) = machine.accounts()?.ids(&self.owner, &self.group)?;
        if self.validate.is_empty() {
            return Ok(());
        }
        let bytes = content.text.as_bytes();
        let candidate = disk::stage(Path::new(&self.path), bytes, self.mode, Some((uid, gid)))?;
        let validated = validate(self, &candidate, content.sensitive).await;
        disk::remove(&candidate)?;
        validated
    }

    async fn make(&self, machine: &mut Machine, _: &Say) -> Result<String> {
        let path = Path::new(&self.path);
        let Some(content) = &self.content else {
            disk::remove(path)?;
            disk::sync_folder(disk::parent(path)?)?;
            machine.reload_needed |= is_unit(&self.path);
            return Ok(String::new());
        };
        let (uid, gid) = machine.accounts()?.ids(&self.owner, &self.group)?;
        let same = look(path)?.is_some_and(|meta| meta.is_file())
            && disk::read(path)?.is_some_and(|bytes| bytes == content.text.as_bytes());
        if same {
            disk::parent(path)?;
            own(path, uid, gid, self.mode)?;
            return Ok(String::new());
        }
        let bytes = content.text.as_bytes();
        let candidate = disk::stage(path, bytes, self.mode, Some((uid, gid)))?;
        disk::commit(&candidate, path)?;
        machine.reload_needed |= is_unit(&self.path);
        if matches!(self.path.as_str(), "/etc/passwd" | "/etc/group") {
            machine.forget();
        }
        Ok(String::new())
    }

    fn doing(&self) -> String {
        let verb = if self.content.is_some() { "writing" } else { "removing" };
        format!("{verb} {}", self.path)
    }
}

/// Lets the validator see the candidate. A secret file's validator is not quoted.
async fn validate(declared: &File, candidate: &Path, sensitive: bool) -> Result<()> {
    let candidate = candidate.to_string_lossy();
    let argv: Vec<String> =
        declared.validate.iter().map(|word| word.replace("{}", &candidate)).collect();
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    process::run(&argv, "", VALIDATE).await.map(drop).map_err(|failure| {
        let command = declared.validate.join(" ");
        if sensitive {
            return Failure::new(format!(
                "{command} refuses the new content (its output is not shown: the file is secret)"
            ));
        }
        Failure::new(format!("the old content stays: {failure}"))
    })
}

/// Metadata of the file itself, not of what a link points to.
pub(super) fn look(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error).during(format!("looking at {}", path.display())),
    }
}

/// What something that is not a regular file is.
pub(super) fn kind(path: &Path, meta: &Metadata) -> String {
    match fs::read_link(path) {
        Ok(target) => format!("symbolic link to {}", target.display()),
        Err(_) if meta.is_dir() => "directory".to_owned(),
        Err(_) if meta.is_file() => "regular file".to_owned(),
        Err(_) => "special file".to_owned(),
    }
}

/// Differences of mode and owner. Names are compared, so that a declared account may come later.
pub(super) fn ownership(
    machine: &mut Machine,
    meta: &Metadata,
    mode: u32,
    owner: &str,
    group: &str,
) -> Result<Diff> {
    let accounts = machine.accounts()?;
    let mut diff = Diff::default();
    diff.value("mode", format!("{:04o}", meta.mode() & 0o7777), format!("{mode:04o}"));
    // A manifest may name a number; an account that exists is compared by number too.
    let same = accounts.ids(owner, group).is_ok_and(|ids| ids == (meta.uid(), meta.gid()));
    if !same {
        let old =
            format!("{}:{}", accounts.account_name(meta.uid()), accounts.group_name(meta.gid()));
        diff.minus(format!("owner {old}"));
        diff.plus(format!("owner {owner}:{group}"));
    }
    Ok(diff)
}

/// Sets owner and mode of what is there, never of what a link points to.
pub(super) fn own(path: &Path, uid: u32, gid: u32, mode: u32) -> Result<()> {
    let what = format!("changing mode and owner of {}", path.display());
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).during(&what)?;
    fchown(&file, Some(uid), Some(gid)).during(&what)?;
    file.set_permissions(Permissions::from_mode(mode)).during(&what)?;
    file.sync_all().during(&what)
}

fn is_unit(path: &str) -> bool {
    UNIT_FOLDERS.iter().any(|folder| path.starts_with(folder))
}
