//! `ssh`, `exec`, `run` and `db`: a person's command goes to a machine, and its exit status comes back.

use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::Output;
use crate::project::request;
use andamio_operate::{Instance, command};
use andamio_provision::Found;
use andamio_remote::{Stream, Terminal, quote};
use futures_util::future::join_all;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io::{IsTerminal, Write};
use std::sync::Arc;

pub(crate) async fn ssh(
    global: &Global,
    env: &str,
    machine: &str,
    words: &[String],
) -> Result<Exit, Stop> {
    let instance = Instance::look(request(global, env)?).await?;
    let found = first(command::machines(&instance, machine, false)?)?;
    let line = if words.is_empty() { None } else { Some(line(words)) };
    connect(&instance, &found, line.as_deref(), words.is_empty()).await
}

pub(crate) async fn exec(
    global: &Global,
    output: &Output,
    env: &str,
    machine: &str,
    all: bool,
    words: &[String],
) -> Result<Exit, Stop> {
    let instance = Instance::look(request(global, env)?).await?;
    let machines = command::machines(&instance, machine, all)?;
    if let [found] = machines.as_slice() {
        return connect(&instance, found, Some(&line(words)), false).await;
    }
    let line = line(words);
    let work = machines.iter().map(|found| {
        let (instance, line) = (&instance, &line);
        async move {
            let session = command::session(instance, found).await?;
            Ok::<_, Stop>(session.output(line, &[]).await.map_err(andamio_operate::Failure::from)?)
        }
    });
    let mut worst = 0;
    for (found, answer) in machines.iter().zip(join_all(work).await) {
        let answer = answer?;
        worst = worst.max(answer.exit.0);
        for text in [&answer.stdout, &answer.stderr] {
            for part in String::from_utf8_lossy(text).lines() {
                output.answer(&format!("{}  {part}", output.style.bold(&found.name)));
            }
        }
    }
    Ok(remote(worst))
}

pub(crate) async fn run(global: &Global, env: &str, words: &[String]) -> Result<Exit, Stop> {
    let instance = Arc::new(Instance::look(request(global, env)?).await?);
    let (found, line) = command::in_app(&instance, words).await?;
    connect(&instance, &found, Some(&line), false).await
}

pub(crate) async fn db(global: &Global, env: &str, sql: &[String]) -> Result<Exit, Stop> {
    let instance = Instance::look(request(global, env)?).await?;
    let sql = if sql.is_empty() { None } else { Some(sql.join(" ")) };
    let (found, line) = command::in_database(&instance, sql.as_deref())?;
    connect(&instance, &found, Some(&line), sql.is_none()).await
}

/// One word is a shell's line, several are a program and its arguments: as with ssh and sudo.
fn line(words: &[String]) -> String {
    match words {
        [one] => one.clone(),
        several => quote(several),
    }
}

fn first(machines: Vec<Found>) -> Result<Found, Stop> {
    machines.into_iter().next().ok_or(Stop::Said(Exit::Failed))
}

/// Connects this terminal (or pipe) with a command on the machine. `person`: it is a conversation, so
/// the machine gets a terminal when there is one here.
async fn connect(
    instance: &Instance,
    found: &Found,
    line: Option<&str>,
    person: bool,
) -> Result<Exit, Stop> {
    let session = command::session(instance, found).await?;
    let failure = andamio_operate::Failure::from;
    if person && std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        let raw = Raw::enter();
        let terminal = terminal();
        let (input, out) = (tokio::io::stdin(), tokio::io::stdout());
        let exit = session.interactive(line, Some(&terminal), input, out).await.map_err(failure);
        drop(raw);
        return Ok(remote(exit?.0));
    }
    let input = if std::io::stdin().is_terminal() { Vec::new() } else { stdin()? };
    let exit = session
        .stream(line.unwrap_or("exec sh"), &input, |stream, bytes| match stream {
            Stream::Out => {
                let mut out = std::io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Stream::Err => std::io::stderr().lock().write_all(bytes),
        })
        .await
        .map_err(failure)?;
    Ok(remote(exit.0))
}

fn stdin() -> Result<Vec<u8>, Stop> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)
        .map_err(|e| Stop::failed("stdin", e, "give the command an input that can be read"))?;
    Ok(bytes)
}

fn remote(status: u32) -> Exit {
    match u8::try_from(status) {
        Ok(0) => Exit::Done,
        Ok(code) => Exit::Remote(code),
        Err(_) => Exit::Failed,
    }
}

fn terminal() -> Terminal {
    let (rows, columns) = console::Term::stdout().size();
    Terminal {
        kind: std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned()),
        columns: columns.into(),
        rows: rows.into(),
    }
}

/// Raw mode for as long as it lives.
struct Raw(Option<Termios>);

impl Raw {
    fn enter() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        let _ = tcsetattr(&stdin, SetArg::TCSANOW, &raw);
        Self(Some(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
    }
}
