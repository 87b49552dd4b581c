//! Debian packages, all of a role in one transaction.

mod apt;
mod files;
mod policy;

use self::apt::{TRANSACTION, apt, apt_with_lists, tell, turn};
use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::Result;
use crate::machine::Machine;
use crate::machine::dpkg::{self, Status};
use crate::process;
use andamio_manifest::{Kind, Package};
use std::collections::BTreeSet;

/// A configuration file that somebody deleted stays deleted for dpkg, unless it is told.
const RESTORE: [&str; 2] = ["-o", "Dpkg::Options::=--force-confmiss"];

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
    let names: Vec<&str> = broken.iter().map(String::as_str).collect();
    let again = ["--reinstall", RESTORE[0], RESTORE[1], "install"];
    let installed = apt_with_lists(&again, &names, say).await;
    machine.forget();
    installed
}

fn missing<'a>(declared: &'a Package, status: &Status) -> Vec<&'a str> {
    let differs = |name: &&String| {
        if declared.absent { status.present(name) } else { !status.installed(name) }
    };
    declared.names.iter().filter(differs).map(String::as_str).collect()
}
