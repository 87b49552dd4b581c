//! apt and its lists of packages: called with patience for others who work with dpkg, and with none for a dead mirror.

use super::Say;
use crate::failure::{Failure, Result};
use crate::machine::dpkg;
use crate::process;
use andamio_manifest::Cause;
use std::fs;
use std::time::{Duration, Instant};

/// A whole role over a slow mirror; apt's own network time-outs end a dead one before.
pub(super) const TRANSACTION: Duration = Duration::from_secs(15 * 60);
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

/// Installs; reads the mirrors' lists first where there are none, and again where they are older than the mirror and
/// name files that are gone.
pub(super) async fn apt_with_lists(verb: &[&str], names: &[&str], say: &Say) -> Result<()> {
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

/// Waits until nobody holds any of the locks.
pub(super) async fn turn(locks: &[&str], say: &Say) -> Result<()> {
    let begin = Instant::now();
    let mut said = String::new();
    while let Some(holder) = dpkg::holder(locks) {
        if begin.elapsed() > LOCK {
            let text =
                format!("{holder} has had the lock of apt and dpkg for {} s", LOCK.as_secs());
            return Err(Failure::because(Cause::PackageLock, text));
        }
        if said != holder {
            say.waits_for(format!("{holder}, which has the lock of apt and dpkg"));
            said = holder;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

pub(super) async fn apt(verb: &[&str], names: &[&str], say: &Say) -> Result<()> {
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
pub(super) fn tell(say: &Say, line: &str) {
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
        let text = format!("the package mirror cannot be reached: {failure}");
        return Failure::because(Cause::PackageMirror, text);
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
