//! One run of the tests: its folder, and the instances that its scenarios made.

use crate::host;
use crate::wait::until;
use std::collections::BTreeMap;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// Given by `./test`, which looks for leftovers of all its stages at the end.
const FOLDER: &str = "ANDAMIO_TEST_RUN";
const INSTANCES: &str = "instances";

/// `ANDAMIO_TEST_KEEP=1`: environments stay for a person to look at.
#[must_use]
pub fn keep() -> bool {
    env::var_os("ANDAMIO_TEST_KEEP").is_some_and(|v| v == "1")
}

/// The checkout that the tests were started in. Not the one they were compiled in: checkouts share a target
/// folder.
#[must_use]
pub fn checkout() -> PathBuf {
    let here = env::current_dir().unwrap();
    let root = here.ancestors().find(|folder| folder.join(".ci/run").exists());
    root.unwrap_or_else(|| panic!("{} is in no checkout", here.display())).to_owned()
}

/// A program that was built beside this one: a copy, because a build may replace it in the middle of
/// a run.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let copy = folder().join(name);
    if !copy.exists() {
        let path = env::current_exe().unwrap().with_file_name(name);
        let new = copy.with_extension("new");
        fs::copy(&path, &new).unwrap_or_else(|e| panic!("{} is not built: {e}", path.display()));
        fs::rename(&new, &copy).unwrap();
    }
    copy
}

/// Where everything of this run is.
#[must_use]
pub fn folder() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let given = env::var_os(FOLDER).map(PathBuf::from);
        let folder = given.unwrap_or_else(|| {
            env::temp_dir().join(format!("andamio-test.{}", std::process::id()))
        });
        fs::create_dir_all(&folder).unwrap();
        folder.canonicalize().unwrap()
    })
}

/// Was the folder made by this process, so that it has to remove it?
#[must_use]
pub fn owns_folder() -> bool {
    env::var_os(FOLDER).is_none()
}

/// Notes an instance before anything of it can exist: its id, and the command that removes it.
pub fn note_instance(id: &str, down: &[String]) {
    let file = folder().join(INSTANCES);
    let mut out = OpenOptions::new().create(true).append(true).open(file).unwrap();
    writeln!(out, "{id}\t{}", down.join("\t")).unwrap();
}

/// Id → command that removes it, of every instance of this run.
fn instances() -> BTreeMap<String, Vec<String>> {
    let noted = fs::read_to_string(folder().join(INSTANCES)).unwrap_or_default();
    let words = noted.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    words.map(|mut words| (words.remove(0), words)).collect()
}

/// What is left of this run on the host: nothing, unless something went wrong.
#[must_use]
pub fn leftovers() -> Vec<String> {
    let mut left: Vec<String> = instances().keys().flat_map(|id| host::leftovers(id)).collect();
    left.extend(host::processes_that_mention(&format!("{}/", folder().display())));
    left
}

/// Takes down what a scenario could not, because it was interrupted.
pub fn sweep() {
    for (id, down) in instances() {
        if host::leftovers(&id).is_empty() {
            continue;
        }
        // A run that is just coming to its end still holds the lock.
        until("an interrupted environment to go", Duration::from_secs(90), || {
            let ended = Command::new(&down[0]).args(&down[1..]).output().unwrap();
            let why = String::from_utf8_lossy(&ended.stderr).into_owned();
            if ended.status.success() { Ok(()) } else { Err(why) }
        });
    }
}

#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
