//! A person's command on a machine: connected with the person's own input, output and terminal, told what the person
//! is told, and gone when the person is.
//!
//! On the machine `andamio node attend` has the command as its child: it ends the command when the connection ends,
//! however that came. Signals reach it over a second channel of the same connection, because OpenSSH passes none on
//! to root's commands.

use crate::command::{self, Job, Work};
use crate::failure::{Failure, remote_fault};
use crate::{Instance, Kind};
use andamio_remote::{Attached, Exit, Piece, Session, Size, Terminal, quote};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

/// Passing a signal on takes a few milliseconds. It takes for ever while the connection is full of output that
/// nobody reads.
const PASS: Duration = Duration::from_secs(3);
/// The machine ends what goes on ten seconds after it was told to end; a container takes a moment more to remove.
const END: Duration = Duration::from_secs(15);

/// A person's side of it.
pub struct Console {
    /// `None`: there is no input.
    pub input: Option<Box<dyn AsyncRead + Send + Unpin>>,
    pub output: mpsc::Sender<Piece>,
    pub terminal: Option<Terminal>,
    pub sizes: mpsc::Receiver<Size>,
    pub signals: mpsc::Receiver<Told>,
}

/// A signal that this program got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Hangup,
    Interrupt,
    Quit,
    Terminate,
}

impl Told {
    fn name(self) -> &'static str {
        match self {
            Self::Hangup => "HUP",
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Terminate => "TERM",
        }
    }

    /// The status of a program that it ended.
    fn exit(self) -> Exit {
        Exit(match self {
            Self::Hangup => 129,
            Self::Interrupt => 130,
            Self::Quit => 131,
            Self::Terminate => 143,
        })
    }
}

/// Runs the job to its end.
///
/// # Errors
/// When the machine cannot be reached, the connection breaks, or input or output fails.
pub async fn attend(instance: &Instance, job: &Job, console: Console) -> Result<Exit, Failure> {
    let Console { input, output, terminal, sizes, mut signals } = console;
    let begun = tokio::select! {
        begun = begin(instance, job, terminal.as_ref()) => begun?,
        Some(told) = signals.recv() => return Ok(told.exit()),
    };
    let Begun { session, attached, pass } = begun;
    let input = input.unwrap_or_else(|| Box::new(tokio::io::empty()));
    let work = attached.finish(input, sizes, output);
    tokio::pin!(work);
    let mut passing = FuturesUnordered::new();
    let mut last: Option<(Told, Instant)> = None;
    loop {
        let end = last.map(|(_, end)| end);
        tokio::select! {
            exit = &mut work => return exit.map_err(|error| remote_fault(&error).into()),
            Some(told) = signals.recv() => {
                last.get_or_insert((told, Instant::now() + END));
                let Some(pass) = &pass else { break };
                passing.push(tell(&session, format!("{pass} {}", told.name())));
            }
            Some(done) = passing.next() => if !done { break },
            () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => break,
        }
    }
    // What no signal reaches notices that nobody is there.
    let _ = timeout(PASS, session.close()).await;
    Ok(last.map_or(Exit(1), |(told, _)| told.exit()))
}

async fn tell(session: &Session, command: String) -> bool {
    matches!(timeout(PASS, session.output(&command, &[])).await, Ok(Ok(_)))
}

struct Begun {
    session: Arc<Session>,
    attached: Attached,
    /// The command that passes a signal on, but for the signal's name.
    pass: Option<String>,
}

async fn begin(
    instance: &Instance,
    job: &Job,
    terminal: Option<&Terminal>,
) -> Result<Begun, Failure> {
    let session = command::session(instance, &job.machine).await?;
    let plain = match &job.work {
        // It ends with its terminal by itself, and leaves what a person put into the background.
        Work::Shell => return bare(session, None, terminal).await,
        Work::Line(line) => Some(line),
        Work::Container(_) => None,
    };
    let agent = match (instance.nodes.agent_on(&session).await, plain) {
        (Ok(agent), _) => agent,
        // A machine whose disk is full is one that somebody has to look at.
        (Err(_), Some(line)) => return bare(session, Some(line), terminal).await,
        (Err(fault), None) => return Err(fault.into()),
    };
    let token = token()?;
    let line = attended(agent, &token, job, terminal.is_some());
    let pass = Some(quote(&[agent, "node", "signal", &token]));
    Ok(Begun { pass, ..bare(session, Some(&line), terminal).await? })
}

async fn bare(
    session: Arc<Session>,
    line: Option<&str>,
    terminal: Option<&Terminal>,
) -> Result<Begun, Failure> {
    let attached = session.attach(line, terminal).await.map_err(|e| remote_fault(&e))?;
    Ok(Begun { session, attached, pass: None })
}

/// What the machine's shell gets.
fn attended(agent: &str, token: &str, job: &Job, terminal: bool) -> String {
    let attend = ["exec", agent, "node", "attend", "--token", token];
    match &job.work {
        Work::Shell => String::new(),
        // The account's own shell reads it, as it would without a program in between.
        Work::Line(line) => {
            format!("{} -- \"${{SHELL:-/bin/sh}}\" -c {}", quote(&attend), quote(&[line]))
        }
        Work::Container(argv) => {
            let name = format!("andamio-run-{token}");
            let attend = quote(&attend);
            format!(
                "{attend} --container {name} -- {}",
                quote(&container(argv, &name, agent, terminal))
            )
        }
    }
}

/// `podman run` with what binds the container to its connection.
fn container(argv: &[String], name: &str, agent: &str, terminal: bool) -> Vec<String> {
    let mut words = argv.to_vec();
    let mut own = vec![
        format!("--name={name}"),
        // Signals end a program only where it is not the first process, or handles them.
        "--init".to_owned(),
        format!("--init-path={agent}"),
        // Ctrl-P is a key of shells, and nobody comes back to a container that was left.
        "--detach-keys=".to_owned(),
    ];
    if terminal {
        own.extend(["--tty".to_owned(), "--env=TERM".to_owned()]);
    }
    // After `podman run`.
    words.splice(2.min(words.len())..2.min(words.len()), own);
    words
}

fn token() -> Result<String, Failure> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| {
        let help = "is /dev/urandom there?";
        Failure::new(Kind::Failed, "random", format!("no randomness: {error}"), help)
    })?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_bound_to_its_connection() {
        let argv = ["podman", "run", "--rm", "image", "a b"].map(str::to_owned);
        let words = container(&argv, "andamio-run-1", "/agent", true);
        assert_eq!(words[..3], ["podman", "run", "--name=andamio-run-1"]);
        assert_eq!(words[words.len() - 5..], ["--tty", "--env=TERM", "--rm", "image", "a b"]);
    }
}
