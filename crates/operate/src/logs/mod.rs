//! `logs`: the journals of all machines, merged by time.
//!
//! What is wanted is chosen on the machines, where the journal is; the memory needed here is that of as many lines as
//! are asked for, or of a few of each machine.

mod entry;
mod merge;
mod select;
mod time;

pub use entry::Line;
pub use select::{Filter, Query};

use crate::{Failure, Instance, Kind, command};
use andamio_provision::{Found, MachineState};
use andamio_remote::{Session, Stream, quote};
use futures_util::future::join_all;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Lines on their way from a machine.
const ON_THE_WAY: usize = 256;
/// Of what a machine complains with.
const COMPLAINT: usize = 4096;

/// What is handed over.
#[derive(Debug)]
pub enum Item {
    Line(Line),
    /// Something that a person should know about the lines: a machine that is left out, for example.
    Note(String),
}

struct Journal {
    machine: String,
    session: Arc<Session>,
}

/// Hands over all matching lines up to now, oldest first; with `follow`, then new ones until the connections end.
/// Ends early when nobody takes them.
///
/// # Errors
/// When a machine that was named does not run, none can be reached, there is no such unit, or journalctl refuses.
pub async fn read(
    instance: &Instance,
    query: &Query,
    out: mpsc::Sender<Item>,
) -> Result<(), Failure> {
    let journals = open(instance, query, &out).await?;
    let units = match &query.unit {
        None => None,
        Some(name) => {
            let known = known(&journals).await?;
            let (spec, topology) = (&instance.request.spec, &instance.topology);
            Some(select::units(name, spec, topology, &known)?)
        }
    };
    let units = units.as_deref();
    let command = query.journalctl(units, None);
    if !query.follow {
        return merge::past(&journals, &command, query, &out).await.map(drop);
    }
    // From here on nothing is missed: what comes while the past is read comes again, and is known by its place.
    let places = places(&journals).await?;
    let seen = merge::past(&journals, &command, query, &out).await?;
    let follow = journals.iter().zip(places).map(|(journal, place)| {
        let (out, seen) = (&out, &seen);
        let command = query.journalctl(units, Some(&place));
        async move {
            let (sender, mut lines) = mpsc::channel(ON_THE_WAY);
            let hand_over = async {
                while let Some(line) = lines.recv().await {
                    let line: Line = line;
                    if !seen.contains(&line.cursor) && out.send(Item::Line(line)).await.is_err() {
                        return;
                    }
                }
            };
            let (ended, ()) = tokio::join!(lines_of(journal, &command, sender), hand_over);
            let why = ended.err().map_or_else(|| "it ended".to_owned(), |f| f.error.message);
            let note = format!("{} is followed no longer: {why}", journal.machine);
            let _ = out.send(Item::Note(note)).await;
        }
    });
    join_all(follow).await;
    if out.is_closed() {
        return Ok(());
    }
    let help = "see with `andamio status` which machines run, then run the same command again";
    Err(Failure::new(Kind::Failed, "journal", "no journal can be followed any more", help))
}

async fn open(
    instance: &Instance,
    query: &Query,
    out: &mpsc::Sender<Item>,
) -> Result<Vec<Journal>, Failure> {
    let found: Vec<Found> = match &query.machine {
        Some(name) => command::machines(instance, name, true)?,
        None => {
            let inventory = instance.inventory();
            let mut running = Vec::new();
            for machine in &instance.topology.machines {
                match inventory.get(&machine.name) {
                    Some(found) if found.state == MachineState::Running => {
                        running.push(found.clone());
                    }
                    _ => {
                        let note = format!("{} does not run and is left out", machine.name);
                        let _ = out.send(Item::Note(note)).await;
                    }
                }
            }
            running
        }
    };
    let sessions = join_all(found.iter().map(|found| command::session(instance, found))).await;
    let (mut journals, mut last) = (Vec::new(), None);
    for (found, session) in found.into_iter().zip(sessions) {
        match session {
            Ok(session) => journals.push(Journal { machine: found.name, session }),
            Err(failure) if query.machine.is_some() => return Err(failure),
            Err(failure) => {
                let note = format!("{} is left out: {}", found.name, failure.error.message);
                let _ = out.send(Item::Note(note)).await;
                last = Some(failure);
            }
        }
    }
    if journals.is_empty() {
        let none = || {
            let message = format!("no machine of {} runs", instance.name());
            let help = format!("bring it up with `andamio up {}`", instance.topology.env);
            Failure::new(Kind::Failed, "machine", message, &help)
        };
        return Err(last.unwrap_or_else(none));
    }
    Ok(journals)
}

/// Names of units and programs that wrote something.
async fn known(journals: &[Journal]) -> Result<BTreeSet<String>, Failure> {
    let fields = ["_SYSTEMD_UNIT", "UNIT", "SYSLOG_IDENTIFIER"];
    let line = fields.map(|field| format!("journalctl --quiet --field={field}")).join("; ");
    let asked = join_all(journals.iter().map(|j| j.session.output(&line, &[]))).await;
    let mut known = BTreeSet::new();
    for answer in asked {
        let text = answer?.stdout;
        known.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
    }
    Ok(known)
}

/// Where each journal ends now.
async fn places(journals: &[Journal]) -> Result<Vec<String>, Failure> {
    let words =
        ["journalctl", "--quiet", "--lines=1", "--output=json", "--output-fields=MESSAGE_ID"];
    let line = quote(&words);
    let asked = join_all(journals.iter().map(|j| j.session.output(&line, &[]))).await;
    let place = |answer: andamio_remote::Output| {
        let value: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap_or_default();
        value.get("__CURSOR").and_then(|v| v.as_str()).unwrap_or_default().to_owned()
    };
    Ok(asked.into_iter().map(|answer| answer.map(place)).collect::<Result<_, _>>()?)
}

/// Everything that a command of journalctl prints, line by line as it comes.
async fn lines_of(
    journal: &Journal,
    command: &str,
    out: mpsc::Sender<Line>,
) -> Result<(), Failure> {
    let (_, sizes) = mpsc::channel(1);
    let (sender, mut pieces) = mpsc::channel::<andamio_remote::Piece>(16);
    let attached = journal.session.attach(Some(command), None).await?;
    let mut said = Vec::new();
    let work = attached.finish(tokio::io::empty(), sizes, sender);
    let exit = {
        let cut = async {
            let mut rest: Vec<u8> = Vec::new();
            while let Some((stream, bytes)) = pieces.recv().await {
                if stream == Stream::Err {
                    said.extend_from_slice(&bytes[..bytes.len().min(COMPLAINT)]);
                    continue;
                }
                // What was looked at before has no end of a line.
                let mut from = rest.len();
                rest.extend_from_slice(&bytes);
                let mut begin = 0;
                while let Some(end) = rest[from..].iter().position(|&b| b == b'\n') {
                    let end = from + end;
                    if let Some(line) = entry::parse(&journal.machine, &rest[begin..end])
                        && out.send(line).await.is_err()
                    {
                        return true;
                    }
                    (begin, from) = (end + 1, end + 1);
                }
                rest.drain(..begin);
            }
            false
        };
        tokio::pin!(cut, work);
        tokio::select! {
            nobody_reads = &mut cut => if nobody_reads { None } else { Some(work.await?) },
            exit = &mut work => {
                // What is on its way still has to be cut.
                cut.await;
                Some(exit?)
            }
        }
    };
    let text = String::from_utf8_lossy(&said).trim().to_owned();
    // It also fails when nothing matches a pattern, and then says nothing.
    if exit.is_some_and(|exit| !exit.success()) && !text.is_empty() {
        return Err(Failure::new(
            Kind::Failed,
            "journal",
            format!("journalctl on {}: {text}", journal.machine),
            "correct the pattern of --grep (PCRE), or look at the machine with `andamio status`",
        ));
    }
    Ok(())
}

/// Places of lines that were handed over.
type Seen = HashSet<String>;

#[cfg(test)]
mod tests;
