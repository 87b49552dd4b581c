//! Which executable the machine's units run, and that no other stays which nobody needs.
//!
//! Whoever looks at a machine brings the own executable along and changes nothing about the others. Only a run that
//! makes changes leads [`AGENT`] to another one, and removes what is old.

use super::{Resource, Say};
use crate::diff::Diff;
use crate::disk;
use crate::failure::{Context, Failure, Result};
use crate::machine::Machine;
use andamio_manifest::{AGENT, AGENTS, ANY_AGENT, Agent, Kind, Manifest};
use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// An upload that takes longer was cut.
const UPLOAD: Duration = Duration::from_secs(3600);

impl Resource for Agent {
    async fn diff(&self, _: &mut Machine) -> Result<Diff> {
        Ok(differs(Path::new(AGENT), &program(self)))
    }

    async fn prepare(&self, _: &mut Machine) -> Result<()> {
        let program = program(self);
        if is_program(&program) {
            return Ok(());
        }
        // It is what carries this out, so somebody removed it a moment ago.
        Err(Failure::new(format!("{} is gone: run the same command again", program.display())))
    }

    async fn make(&self, _: &mut Machine, _: &Say) -> Result<String> {
        lead(Path::new(AGENT), &program(self))?;
        Ok(String::new())
    }

    fn doing(&self) -> String {
        format!("leading {AGENT} to {}", self.digest)
    }
}

/// Where a check leaves open which executable it is: the one that the last run has decided on. Before that it differs.
pub(crate) fn decide(manifest: &mut Manifest) {
    fill(manifest, Path::new(AGENT));
}

fn fill(manifest: &mut Manifest, link: &Path) {
    for resource in &mut manifest.resources {
        if let Kind::Agent(agent) = &mut resource.kind
            && agent.digest == ANY_AGENT
            && let Ok(program) = fs::read_link(link)
            && program.parent() == Some(Path::new(AGENTS))
            && let Some(name) = program.file_name()
        {
            agent.digest = name.to_string_lossy().into_owned();
        }
    }
}

/// Removes executables that neither the manifest, the link nor a process needs. What cannot be removed is for the next
/// run.
pub(crate) fn tidy(manifest: &Manifest) {
    let declared = manifest.resources.iter().find_map(|resource| match &resource.kind {
        Kind::Agent(agent) => Some(program(agent)),
        _ => None,
    });
    // A part of a manifest, or an operator of a former version: nothing is known of what is needed.
    let Some(declared) = declared else { return };
    let needed = [Some(declared), fs::read_link(AGENT).ok()];
    for path in unneeded(Path::new(AGENTS), needed.as_slice(), &running()) {
        let _ = disk::remove(&path);
    }
}

fn program(declared: &Agent) -> PathBuf {
    Path::new(AGENTS).join(&declared.digest)
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn differs(link: &Path, program: &Path) -> Diff {
    let mut diff = Diff::default();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match fs::read_link(link) {
        Ok(old) if old == program && is_program(program) => return diff,
        Ok(old) if old == program => diff.minus(format!("{} (it is gone)", name(&old))),
        Ok(old) => diff.minus(name(&old)),
        Err(_) if fs::symlink_metadata(link).is_ok() => {
            diff.minus(format!("{} is no symbolic link", link.display()));
        }
        Err(_) => {}
    }
    diff.plus(name(program));
    diff
}

/// A unit that starts in this moment finds the old one or the new one.
fn lead(link: &Path, program: &Path) -> Result<()> {
    disk::create_parents(link)?;
    let beside = disk::parent(link)?.join(".andamio-link");
    disk::remove(&beside)?;
    symlink(program, &beside).during(format!("leading {} to the agent", link.display()))?;
    disk::commit(&beside, link)
}

/// What processes run, by device and inode: some have it under another name, bound to a place of their own.
fn running() -> BTreeSet<(u64, u64)> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|p| Some(identity(&fs::metadata(p.path().join("exe")).ok()?))).collect()
}

fn identity(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

fn unneeded(
    folder: &Path,
    needed: &[Option<PathBuf>],
    running: &BTreeSet<(u64, u64)>,
) -> Vec<PathBuf> {
    let is_unneeded = |path: &PathBuf| {
        let Ok(meta) = fs::symlink_metadata(path) else { return false };
        let comes = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let age = meta.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        meta.is_file()
            && !needed.iter().flatten().any(|other| other == path)
            && !running.contains(&identity(&meta))
            && !(comes && age.unwrap_or_default() < UPLOAD)
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(is_unneeded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use andamio_manifest as manifest;

    fn executable(path: &Path) {
        fs::write(path, "").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_link_leads_to_the_declared_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let link = at("bin/andamio");
        assert_eq!(differs(&link, &at("b")).show(), "+ b");
        executable(&at("a"));
        lead(&link, &at("a")).unwrap();
        assert!(differs(&link, &at("a")).is_empty());
        assert_eq!(differs(&link, &at("b")).show(), "- a\n+ b");
        lead(&link, &at("b")).unwrap();
        // Nothing is there that a unit could run.
        assert_eq!(differs(&link, &at("b")).show(), "- b (it is gone)\n+ b");
        executable(&at("b"));
        assert!(differs(&link, &at("b")).is_empty());
        fs::remove_file(&link).unwrap();
        fs::write(&link, "somebody's own").unwrap();
        assert!(differs(&link, &at("b")).show().contains("no symbolic link"));
        lead(&link, &at("b")).unwrap();
        assert!(differs(&link, &at("b")).is_empty());
        assert_eq!(fs::read_dir(at("bin")).unwrap().count(), 1);
    }

    #[test]
    fn who_only_looks_takes_the_one_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("andamio");
        let digest = |declared: &str| {
            let agent =
                manifest::Resource::new("base", Kind::Agent(Agent { digest: declared.into() }));
            let text =
                r#"{"v":1,"machine":"a","instance":"dev@local","generation":1,"resources":[]}"#;
            let mut manifest: Manifest = serde_json::from_str(text).unwrap();
            manifest.resources.push(agent);
            fill(&mut manifest, &link);
            match manifest.resources.pop().unwrap().kind {
                Kind::Agent(agent) => agent.digest,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(digest(ANY_AGENT), ANY_AGENT);
        lead(&link, Path::new("/somebody/elses")).unwrap();
        assert_eq!(digest(ANY_AGENT), ANY_AGENT);
        lead(&link, &Path::new(AGENTS).join("a")).unwrap();
        assert_eq!(digest(ANY_AGENT), "a");
        assert_eq!(digest("b"), "b");
        // Before the first run there is none that a unit could run.
        let none = Agent { digest: ANY_AGENT.to_owned() };
        assert!(!differs(&link, &program(&none)).is_empty());
    }

    #[test]
    fn what_somebody_needs_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["declared", "linked", "runs", "old", ".andamio.comes", ".andamio.cut"] {
            executable(&at(name));
        }
        let long_ago = SystemTime::now() - UPLOAD * 2;
        fs::File::open(at(".andamio.cut")).unwrap().set_modified(long_ago).unwrap();
        let runs = BTreeSet::from([identity(&fs::metadata(at("runs")).unwrap())]);
        let needed = [Some(at("declared")), Some(at("linked"))];
        let mut unneeded = unneeded(folder.path(), &needed, &runs);
        unneeded.sort();
        assert_eq!(unneeded, [at(".andamio.cut"), at("old")]);
        // This very process is one that runs.
        let me = fs::metadata("/proc/self/exe").unwrap();
        assert!(running().contains(&identity(&me)));
    }
}
