//! Debian packages, all of a role in one transaction.

mod files;
mod policy;

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Failure, Result};
use crate::machine::Machine;
use crate::machine::dpkg::{self, Status};
use crate::process;
use andamio_manifest::{Kind, Package};
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

/// A whole role over a slow mirror; apt's own network time-outs end a dead one before.
const TRANSACTION: Duration = Duration::from_secs(15 * 60);
const UPDATE: Duration = Duration::from_secs(5 * 60);
/// How long another dpkg or apt may work before it is called stuck. The first upgrade of a server by itself takes
/// minutes.
const LOCK: Duration = Duration::from_secs(10 * 60);
const LOOK: Duration = Duration::from_millis(500);
const LISTS: &str = "/var/lib/apt/lists";

/// apt waits two minutes for each address of a mirror that is silent; who waits for it gives up before.
const MIRROR: [&str; 6] = [
    "-o",
    "Acquire::Retries=1",
    "-o",
    "Acquire::http::Timeout=10",
    "-o",
    "Acquire::https::Timeout=10",
];

/// A configuration file that somebody deleted stays deleted for dpkg, unless it is told.
const RESTORE: [&str; 2] = ["-o", "Dpkg::Options::=--force-confmiss"];

const OPTIONS: [&str; 12] = [
    "apt-get",
    "-y",
    "--no-install-recommends",
    "-o",
    "DPkg::Lock::Timeout=120",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Use-Pty=0",
    "-q",
];

impl Resource for Package {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let status = machine.packages()?;
        let mut diff = Diff::default();
        if status.interrupted() && !dpkg::at_work() {
            // Also when everything named is there: nothing else is installed until it is finished.
            diff.minus("dpkg was interrupted");
            diff.plus("what it began is finished");
        }
        for name in &self.names {
            let held = if status.held(name) { " (held)" } else { "" };
            if self.absent && status.present(name) {
                diff.minus(format!("{name}{held}"));
            } else if !self.absent && !status.installed(name) {
                if status.present(name) {
                    let state = status.state(name).unwrap_or_default();
                    diff.minus(format!("{name} {state}{held}"));
                }
                diff.plus(format!("{name} installed{held}"));
            }
        }
        if !self.absent {
            for (package, needs) in status.lacking(&self.names) {
                diff.minus(format!("{package} without {needs}, which it needs"));
                diff.plus(format!("{needs} installed"));
            }
        }
        for damaged in damaged(self, machine)? {
            let more = if damaged.count == 1 {
                String::new()
            } else {
                format!(" and {} more", damaged.count - 1)
            };
            diff.minus(format!("{} without its {}{more}", damaged.package, damaged.first));
            diff.plus("its files are back");
        }
        Ok(diff)
    }

    async fn make(&self, machine: &mut Machine, say: &Say) -> Result<String> {
        let guard = policy::guard(machine).await?;
        let done = transaction(self, machine, say).await;
        drop(guard);
        // Maintainer scripts create accounts, also when the transaction fails half-way.
        machine.forget();
        machine.reload_needed = true;
        done.map(|()| String::new())
    }

    fn doing(&self) -> String {
        format!("{} {}", if self.absent { "removing" } else { "installing" }, self.names.join(" "))
    }
}

async fn transaction(declared: &Package, machine: &mut Machine, say: &Say) -> Result<()> {
    recover(machine, say).await?;
    let status = machine.packages()?;
    let names = missing(declared, status);
    let lacking = !declared.absent && !status.lacking(&declared.names).is_empty();
    if lacking {
        // Whoever was removed by force is missed by apt, too, before anything else.
        apt_with_lists(&["--fix-broken", "install"], &[], say).await?;
    }
    if !names.is_empty() {
        if declared.absent {
            return apt(&["remove"], &names, say).await;
        }
        apt_with_lists(&["install"], &names, say).await?;
    }
    machine.forget();
    let damaged = damaged(declared, machine)?;
    if damaged.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = damaged.iter().map(|damaged| damaged.package.as_str()).collect();
    say.say(format!("installing {} again, of which files are missing", names.join(" ")));
    apt_with_lists(&["--reinstall", RESTORE[0], RESTORE[1], "install"], &names, say).await
}

/// What is there and has lost files. Not those that the manifest wants gone.
fn damaged(declared: &Package, machine: &mut Machine) -> Result<Vec<files::Damaged>> {
    if declared.absent {
        return Ok(Vec::new());
    }
    let manifest = std::rc::Rc::clone(&machine.manifest);
    let gone: BTreeSet<&str> = manifest
        .resources
        .iter()
        .filter_map(|resource| match &resource.kind {
            Kind::File(file) if file.content.is_none() => Some(&*file.path),
            _ => None,
        })
        .collect();
    let status = machine.packages()?;
    let there: Vec<String> =
        declared.names.iter().filter(|name| status.installed(name)).cloned().collect();
    Ok(files::damaged(&there, status, |path| gone.contains(path)))
}

/// Installs; reads the mirrors' lists first where there are none, and again where they are older than the mirror and
/// name files that are gone.
async fn apt_with_lists(verb: &[&str], names: &[&str], say: &Say) -> Result<()> {
    if !have_lists() {
        update(say).await?;
    }
    match apt(verb, names, say).await {
        Err(error) if outdated(&error) => {
            update(say).await?;
            apt(verb, names, say).await
        }
        done => done,
    }
}

/// Brings dpkg back to a state that apt accepts, after it was killed at its work.
async fn recover(machine: &mut Machine, say: &Say) -> Result<()> {
    if !machine.packages()?.interrupted() {
        return Ok(());
    }
    // Perhaps not interrupted at all: another one works, for example one whose node was killed.
    turn(&dpkg::LOCKS, say).await?;
    machine.forget();
    if !machine.packages()?.interrupted() {
        return Ok(());
    }
    say.say("finishing an interrupted dpkg");
    let argv = ["dpkg", "--force-confold", "--force-confmiss", "--configure", "-a"];
    let configured = loop {
        match process::follow(&argv, "", TRANSACTION, &mut |line| tell(say, line)).await {
            Err(_) if dpkg::at_work() => turn(&dpkg::LOCKS, say).await?,
            done => break done,
        }
    };
    machine.forget();
    let broken = machine.packages()?.broken();
    if broken.is_empty() {
        return configured.map(drop);
    }
    // Killed while it unpacked: it refuses to configure, until they are installed again.
    if !have_lists() {
        update(say).await?;
    }
    let names: Vec<&str> = broken.iter().map(String::as_str).collect();
    let installed = apt(&["--reinstall", RESTORE[0], RESTORE[1], "install"], &names, say).await;
    machine.forget();
    installed
}

fn missing<'a>(declared: &'a Package, status: &Status) -> Vec<&'a str> {
    let differs = |name: &&String| {
        if declared.absent { status.present(name) } else { !status.installed(name) }
    };
    declared.names.iter().filter(differs).map(String::as_str).collect()
}

/// Waits until nobody holds any of the locks.
async fn turn(locks: &[&str], say: &Say) -> Result<()> {
    let begin = Instant::now();
    let mut said = String::new();
    while let Some(holder) = dpkg::holder(locks) {
        if begin.elapsed() > LOCK {
            return Err(Failure::new(format!(
                "{holder} has had the lock of apt and dpkg for {} s",
                LOCK.as_secs()
            )));
        }
        if said != holder {
            say.say(format!("waiting for {holder}, which has the lock of apt and dpkg"));
            said = holder;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn apt(verb: &[&str], names: &[&str], say: &Say) -> Result<()> {
    turn(&dpkg::LOCKS, say).await?;
    let mut argv = OPTIONS.to_vec();
    argv.extend(MIRROR);
    argv.extend(verb);
    // A name that begins with a dash is a name.
    argv.push("--");
    argv.extend(names);
    let done = process::follow(&argv, "", TRANSACTION, &mut |line| tell(say, line)).await;
    done.map(drop).map_err(named)
}

/// Passes on the lines that say how far apt is.
fn tell(say: &Say, line: &str) {
    const PROGRESS: [&str; 9] = [
        "Get:",
        "Unpacking",
        "Setting up",
        "Removing",
        "Processing",
        "Waiting",
        "Fetched",
        "E:",
        "W:",
    ];
    if PROGRESS.iter().any(|begin| line.starts_with(begin)) {
        say.say(line);
    }
}

fn have_lists() -> bool {
    fs::read_dir(LISTS).is_ok_and(|folder| {
        folder.flatten().any(|e| e.file_name().to_string_lossy().ends_with("_Packages"))
    })
}

/// Reads the mirrors' lists.
async fn update(say: &Say) -> Result<()> {
    say.say("apt-get update");
    let mut argv = vec!["apt-get", "-q"];
    argv.extend(MIRROR);
    // Without it a mirror that does not answer is a warning.
    argv.extend(["--error-on=any", "update"]);
    loop {
        turn(&dpkg::LISTS_LOCK, say).await?;
        match process::follow(&argv, "", UPDATE, &mut |line| tell(say, line)).await {
            // Somebody came in between.
            Err(_) if dpkg::holder(&dpkg::LISTS_LOCK).is_some() => {}
            // One mirror of several may be away; whether it was needed shows when packages are fetched.
            Err(_) if have_lists() => return Ok(()),
            done => return done.map(drop).map_err(named),
        }
    }
}

/// Says it first when it is the mirror that does not answer.
fn named(failure: Failure) -> Failure {
    if unreachable(&failure) {
        return Failure::new(format!("the package mirror cannot be reached: {failure}"));
    }
    failure
}

fn unreachable(failure: &Failure) -> bool {
    let text = failure.to_string();
    [
        "Could not connect",
        "Could not resolve",
        "Temporary failure resolving",
        "Connection failed",
        "Connection timed out",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

fn outdated(error: &Failure) -> bool {
    if unreachable(error) {
        return false;
    }
    let text = error.to_string();
    [
        "404",
        "Unable to fetch",
        "Unable to locate package",
        "has no installation candidate",
        "cannot be downloaded",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}
