//! This program's terminal, input, output and signals, as a command on a machine gets them.

use crate::exit::{Exit, Stop};
use crate::output::Output;
use andamio_operate::attend::{Console, Told, attend};
use andamio_operate::command::Job;
use andamio_operate::{Failure, Instance};
use andamio_remote::{Exit as Ended, Piece, Size, Stream, Terminal};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use std::io::{ErrorKind, IsTerminal, Write};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Pieces of output on their way; each is at most an SSH packet.
const ON_THE_WAY: usize = 16;
/// What a program that writes into a closed pipe ends with: 128 + SIGPIPE.
pub(super) const NO_READER: Exit = Exit::Remote(141);
/// Of one line that a database client complains with; it repeats the whole statement.
const COMPLAINT: usize = 2000;

/// Runs the job, connected with this program's terminal or pipes; its exit status.
pub(super) async fn connect(
    output: &Output,
    instance: &Instance,
    job: &Job,
    short: bool,
) -> Result<Exit, Stop> {
    if let Some(note) = &job.note {
        output.note(note);
    }
    let person = has_person();
    let raw = person.then(Raw::enter);
    let (sender, pieces) = mpsc::channel(ON_THE_WAY);
    let console = Console {
        input: readable().then(|| Box::new(tokio::io::stdin()) as _),
        output: sender,
        terminal: person.then(|| Terminal { kind: kind(), size: size() }),
        sizes: sizes(person),
        signals: signals()?,
    };
    let (ended, written) =
        tokio::join!(attend(instance, job, console), write(pieces, short.then_some(COMPLAINT)));
    drop(raw);
    match (ended, written) {
        (_, Err(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(NO_READER),
        (_, Err(error)) => {
            let message = format!("cannot write the output: {error}");
            Err(Stop::failed("out", message, "see that there is room where the output goes"))
        }
        (ended, Ok(())) => Ok(exit(ended?)),
    }
}

/// The same on several machines at once: without input, each line with its machine's name. The worst status.
pub(super) async fn each(output: &Output, instance: &Instance, jobs: &[Job]) -> Result<Exit, Stop> {
    let mut told = Vec::new();
    let work = jobs.iter().map(|job| {
        let (sender, pieces) = mpsc::channel(ON_THE_WAY);
        let (tell, signals) = mpsc::channel(4);
        told.push(tell);
        let (_, sizes) = mpsc::channel(1);
        let console = Console { input: None, output: sender, terminal: None, sizes, signals };
        async move {
            let name = output.style.bold(&job.machine.name);
            let (ended, ()) = tokio::join!(attend(instance, job, console), lines(&name, pieces));
            ended
        }
    });
    let work = futures_util::future::join_all(work);
    let mut signals = signals()?;
    tokio::pin!(work);
    loop {
        tokio::select! {
            ended = &mut work => {
                let ended: Result<Vec<Ended>, Failure> = ended.into_iter().collect();
                let worst = ended?.into_iter().map(|e| e.0).max();
                return Ok(exit(Ended(worst.unwrap_or_default())));
            }
            Some(signal) = signals.recv() => {
                for tell in &told {
                    let _ = tell.try_send(signal);
                }
            }
        }
    }
}

fn exit(ended: Ended) -> Exit {
    match u8::try_from(ended.0) {
        Ok(0) => Exit::Done,
        Ok(code) => Exit::Remote(code),
        Err(_) => Exit::Failed,
    }
}

/// Standard input and output are a terminal, and this program is in front of it.
pub(super) fn has_person() -> bool {
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal() && readable()
}

/// In the background, reading a terminal would stop this program.
fn readable() -> bool {
    let stdin = std::io::stdin();
    !stdin.is_terminal() || tcgetpgrp(&stdin).is_ok_and(|front| front == getpgrp())
}

/// Everything in its order to where it belongs. `longest`: of a line of complaint.
async fn write(mut pieces: mpsc::Receiver<Piece>, longest: Option<usize>) -> std::io::Result<()> {
    let (mut out, mut err) = (tokio::io::stdout(), tokio::io::stderr());
    let mut cut = Cut { longest: longest.unwrap_or(usize::MAX), length: 0, left_out: 0 };
    while let Some((stream, bytes)) = pieces.recv().await {
        match stream {
            Stream::Out => put(&mut out, &bytes).await?,
            Stream::Err => put(&mut err, &cut.shorten(&bytes)).await?,
        }
    }
    Ok(())
}

async fn put(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}

/// Cuts long lines of a stream.
struct Cut {
    longest: usize,
    /// Of the line so far.
    length: usize,
    left_out: usize,
}

impl Cut {
    fn shorten(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(bytes.len().min(self.longest));
        for &byte in bytes {
            if byte == b'\n' {
                if self.left_out > 0 {
                    let said = format!("… ({} more bytes)", self.left_out);
                    kept.extend_from_slice(said.as_bytes());
                }
                (self.length, self.left_out) = (0, 0);
                kept.push(byte);
            } else if self.length < self.longest {
                self.length += 1;
                kept.push(byte);
            } else {
                self.left_out += 1;
            }
        }
        kept
    }
}

/// Whole lines, each with a name before it.
async fn lines(name: &str, mut pieces: mpsc::Receiver<Piece>) {
    let mut rests = [Vec::new(), Vec::new()];
    let say = |stream, line: &[u8]| {
        let text = format!("{name}  {}\n", String::from_utf8_lossy(line));
        // A reader that went away is no error.
        let _ = match stream {
            Stream::Out => std::io::stdout().lock().write_all(text.as_bytes()),
            Stream::Err => std::io::stderr().lock().write_all(text.as_bytes()),
        };
    };
    while let Some((stream, bytes)) = pieces.recv().await {
        let [out, err] = &mut rests;
        let rest = if stream == Stream::Out { out } else { err };
        rest.extend_from_slice(&bytes);
        let Some(end) = rest.iter().rposition(|&b| b == b'\n') else { continue };
        let whole: Vec<u8> = rest.drain(..=end).collect();
        for line in whole[..end].split(|&b| b == b'\n') {
            say(stream, line);
        }
    }
    for (stream, rest) in [Stream::Out, Stream::Err].into_iter().zip(&rests) {
        if !rest.is_empty() {
            say(stream, rest);
        }
    }
}

fn signals() -> Result<mpsc::Receiver<Told>, Stop> {
    let (sender, receiver) = mpsc::channel(4);
    for (kind, told) in [
        (SignalKind::hangup(), Told::Hangup),
        (SignalKind::interrupt(), Told::Interrupt),
        (SignalKind::quit(), Told::Quit),
        (SignalKind::terminate(), Told::Terminate),
    ] {
        let help = "is the limit of open files or processes reached?";
        let mut came = signal(kind).map_err(|e| Stop::failed("runtime", e, help))?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while came.recv().await.is_some() && sender.send(told).await.is_ok() {}
        });
    }
    Ok(receiver)
}

fn sizes(person: bool) -> mpsc::Receiver<Size> {
    let (sender, receiver) = mpsc::channel(4);
    if let (true, Ok(mut changes)) = (person, signal(SignalKind::window_change())) {
        tokio::spawn(async move {
            while changes.recv().await.is_some() && sender.send(size()).await.is_ok() {}
        });
    }
    receiver
}

fn size() -> Size {
    let (rows, columns) = console::Term::stdout().size();
    Size { columns: columns.into(), rows: rows.into() }
}

fn kind() -> String {
    std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned())
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

#[cfg(test)]
mod tests {
    use super::Cut;

    #[test]
    fn a_line_that_no_terminal_can_show_is_cut_where_it_was_whole_in_pieces() {
        let mut cut = Cut { longest: 5, length: 0, left_out: 0 };
        let mut text = cut.shorten(b"ab\nabcd");
        text.extend(cut.shorten(b"efgh"));
        text.extend(cut.shorten(b"i\nend\n"));
        assert_eq!(String::from_utf8(text).unwrap(), "ab\nabcde… (4 more bytes)\nend\n");
    }
}
