//! Running a plan under the instance's lock, with its record in the ledger and its events shown.

use crate::exit::{Exit, Stop};
use crate::output::{Output, Progress};
use crate::project::interactive;
use crate::unlock::unlock;
use andamio_engine::{
    Accepted, Cancel, Events, Lock, RunOutcome, RunRecord, RunStatus, Step, now, run,
};
use andamio_operate::{Failure, Instance, OpenMode, hosts};
use serde_json::json;
use std::io::{BufRead, Write};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Takes the lock of the instance; says so when a dead holder had it.
pub(crate) async fn lock(instance: &Instance, verb: &str, output: &Output) -> Result<Lock, Stop> {
    let purpose = format!("{verb} {}", instance.name());
    let store = instance.writable()?;
    let (lock, former) = Lock::take(&store, instance.holder(), &purpose)
        .await
        .map_err(|e| Stop::from(Failure::from(e)))?;
    if let Some(former) = former {
        output.note(&format!(
            "taking over the lock of {}, whose `{}` is gone",
            former.holder.by, former.purpose
        ));
    }
    Ok(lock)
}

/// Shows the person the servers whose host key nobody vouches for, before anything is said to them;
/// `-y` says nothing about who answers. What comes back knows the keys that were accepted.
pub(crate) async fn verify_host_keys(
    look: Instance,
    limit: &[String],
    output: &Output,
) -> Result<Instance, Stop> {
    let unknown_hosts = hosts::unknown_hosts(&look, limit).await?;
    if unknown_hosts.is_empty() {
        return unlock(look, limit, output).await;
    }
    let mut request = look.request;
    for stranger in unknown_hosts {
        let (machine, address, key) = (stranger.machine, stranger.address, stranger.key);
        if output.json || !interactive() {
            return Err(Stop::new(
                Exit::Host,
                "host-key",
                format!(
                    "nobody vouches for the host key of {machine} ({address}): {}",
                    key.fingerprint
                ),
                &format!(
                    "compare it on the server (ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub), \
                     then add host_key = \"{}\" to it in andamio.toml, or log in with ssh once",
                    key.public
                ),
            ));
        }
        let question = format!(
            "{machine} ({address}) is new and shows the host key\n  {}\nAnother key on its own \
             console means that somebody else answers.",
            key.fingerprint
        );
        confirm(&question, false)?;
        request.access.accepted.insert(address, key.public);
    }
    unlock(Instance::open(request, OpenMode::ReadOnly).await?, limit, output).await
}

/// Says what will happen and asks a person; without one the answer is no.
pub(crate) fn confirm(what: &str, yes: bool) -> Result<(), Stop> {
    if yes {
        return Ok(());
    }
    if !interactive() {
        return Err(Stop::new(
            Exit::Refused,
            "no-terminal",
            format!("{what} There is nobody to ask: this is no terminal"),
            "run it again with -y to say yes",
        ));
    }
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{what} Go on? [y/N] ");
    let _ = err.flush();
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Stop::new(Exit::Refused, "no", "nothing was changed", ""))
}

/// Runs the steps to the end, with ledger, events and Ctrl-C.
pub(crate) async fn steps(
    instance: &Instance,
    verb: &str,
    plan: &str,
    steps: &[Step],
    accepted: &[Accepted],
    (lock, output): (&Lock, &Output),
) -> Result<(RunOutcome, RunRecord), Stop> {
    let signals = signals();
    let record = instance.begin(verb, plan, accepted).await?;
    let (events, receiver) = Events::new(&record.run);
    let cancel = Cancel::under(lock.lease());
    let watcher = tokio::spawn(watch(cancel.clone(), signals));
    let mut progress = Progress::new(output);
    let work = async {
        let outcome = run(steps, &events, &cancel).await;
        // The reporter ends when the last sender is gone.
        drop(events);
        outcome
    };
    let (outcome, ()) = tokio::join!(work, progress.show(receiver, &cancel));
    watcher.abort();
    let status = if outcome.failed > 0 {
        RunStatus::Failed
    } else if outcome.cancelled {
        RunStatus::Cancelled
    } else {
        RunStatus::Ok
    };
    let ended = RunRecord {
        ended: Some(now()),
        status,
        changed: outcome.changed,
        message: outcome.error.as_ref().map(|f| f.message.clone()).unwrap_or_default(),
        ..record
    };
    let ended = instance.ledger().append(ended).await.map_err(Failure::from)?;
    Ok((outcome, ended))
}

/// The last line of `--json`, and the verb's end.
pub(crate) fn finish(
    output: &Output,
    record: &RunRecord,
    outcome: &RunOutcome,
    next: &[String],
) -> Result<Exit, Stop> {
    let status = match record.status {
        RunStatus::Failed | RunStatus::Started => "failed",
        RunStatus::Cancelled => "cancelled",
        RunStatus::Refused => "refused",
        RunStatus::Ok => "ok",
    };
    let ended = record.ended.unwrap_or(record.started);
    if output.json {
        output.document(&json!({
            "v": 1, "type": "result", "run": record.run, "verb": record.verb, "env": record.env,
            "place": record.place, "status": status, "changed": outcome.changed,
            "failed": outcome.failed,
            "duration_s": ended.duration_since(record.started).as_secs_f64(),
            "error": outcome.error, "next": next,
        }));
    }
    let failed = if outcome.lost { Exit::Locked } else { Exit::Failed };
    match (record.status, &outcome.error) {
        (RunStatus::Ok, _) => Ok(Exit::Done),
        (RunStatus::Cancelled, _) => {
            if !output.json {
                output.note(&format!(
                    "Stopped. Nothing is half done: `andamio {} {}` goes on from here.",
                    record.verb, record.env
                ));
            }
            Err(Stop::NodeReport(Exit::Interrupted))
        }
        (_, Some(_)) if output.json => Err(Stop::NodeReport(failed)),
        (_, Some(error)) => Err(Stop::Report { exit: failed, error: error.clone() }),
        (_, None) => Err(Stop::NodeReport(Exit::Failed)),
    }
}

/// From here on a signal is heard and no longer ends the process by itself.
fn signals() -> Option<(Signal, Signal)> {
    Some((signal(SignalKind::interrupt()).ok()?, signal(SignalKind::terminate()).ok()?))
}

/// First Ctrl-C (or SIGTERM): come to an end. Second: leave at once, which is as safe as a kill.
async fn watch(cancel: Cancel, signals: Option<(Signal, Signal)>) {
    let Some((mut interrupt, mut terminate)) = signals else { return };
    for again in [false, true] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if again {
            leave();
        }
        cancel.request();
    }
}

#[expect(clippy::exit, reason = "a person asked twice to be let go; any state is resumed from")]
fn leave() -> ! {
    std::process::exit(130)
}
