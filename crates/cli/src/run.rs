//! A run as a person at a terminal sees it: questions, the plan, events, Ctrl-C, and how it ended.

use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, Progress, plan as display};
use crate::project::interactive;
use crate::unlock::unlock;
use andamio_engine::{BoxFuture, Cancel, Event, RunStatus};
use andamio_operate::plan::PlanReport;
use andamio_operate::{
    Approval, Ended, Failure, Instance, Kind, OpenMode, Reporter, Runner, hosts,
};
use serde_json::json;
use std::io::{BufRead, Write};
use std::sync::Mutex;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

/// Whoever typed the command.
pub(crate) struct Terminal<'a> {
    output: &'a Output,
    /// `-y`.
    yes: bool,
    wait: Option<std::time::Duration>,
    /// The plan that was shown last, which is not shown again.
    shown: Mutex<String>,
}

impl<'a> Terminal<'a> {
    pub(crate) fn new(global: &Global, output: &'a Output) -> Self {
        Self { output, yes: global.yes, wait: global.wait, shown: Mutex::default() }
    }

    pub(crate) fn runner(&self) -> Runner<'_> {
        Runner { approval: self, reporter: self, wait: self.wait }
    }
}

impl Approval for Terminal<'_> {
    fn ask<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { answer(question, self.yes) })
    }
}

impl Reporter for Terminal<'_> {
    fn note(&self, text: &str) {
        self.output.note(text);
    }

    fn plan(&self, report: &PlanReport) {
        if self.output.json || report.empty && report.refusals.is_empty() {
            return;
        }
        if let Ok(mut shown) = self.shown.lock()
            && *shown != report.id
        {
            shown.clone_from(&report.id);
            self.output.note(&display(report, self.output.style));
        }
    }

    fn attend<'a>(
        &'a self,
        events: UnboundedReceiver<Event>,
        cancel: &'a Cancel,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let watcher = tokio::spawn(watch(cancel.clone(), signals()));
            Progress::new(self.output).show(events, cancel).await;
            watcher.abort();
        })
    }
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
    answer(what, yes).map_err(Stop::from)
}

fn answer(what: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !interactive() {
        let message = format!("{what} There is nobody to ask: this is no terminal");
        let help = "run it again with -y to say yes";
        return Err(Failure::new(Kind::Refused, "no-terminal", message, help));
    }
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{what} Go on? [y/N] ");
    let _ = err.flush();
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::new(Kind::Refused, "no", "nothing was changed", ""))
}

/// The last line of `--json`, and the verb's end.
pub(crate) fn finish(output: &Output, ended: &Ended, next: &[String]) -> Result<Exit, Stop> {
    let Ended { outcome, record } = ended;
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
pub(crate) fn signals() -> Option<(Signal, Signal)> {
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
