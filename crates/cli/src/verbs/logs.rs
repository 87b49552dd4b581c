use super::console::NO_READER;
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, harmless};
use crate::project::{Source, request};
use andamio_engine::now;
use andamio_operate::logs::{Filter, Item, Line, Query, read};
use andamio_operate::{Instance, OpenMode};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use tokio::sync::{mpsc, oneshot};

/// Lines that wait to be written.
const WAITING: usize = 1024;

pub(crate) async fn logs(
    global: &Global,
    output: &Output,
    env: &str,
    filter: &Filter,
) -> Result<Exit, Stop> {
    if filter.follow && std::path::Path::new(env).extension().is_some_and(|e| e == "toml") {
        return Err(Stop::usage(
            format!(
                "`{env}` is a file, and here an environment is expected: with logs, -f is --follow"
            ),
            "write `andamio --file FILE logs ENV --follow`",
        ));
    }
    let request = request(global, env, Source::Any).await?;
    let query = Query::new(filter, &request.spec, now())?;
    let instance = Instance::open(request, OpenMode::Look).await?;
    let (sender, items) = mpsc::channel(WAITING);
    let work = async { tokio::join!(read(&instance, &query, sender), show(output, items)) };
    tokio::select! {
        (ended, written) = work => {
            if written.is_err() {
                return Ok(NO_READER);
            }
            ended?;
            Ok(Exit::Done)
        }
        _ = no_reader() => Ok(NO_READER),
        _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
    }
}

/// Ends when nobody reads standard output any more, which writing alone would notice only with the next line.
async fn no_reader() {
    let (sender, gone) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let stdout = std::io::stdout();
        loop {
            let mut one = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
            match poll(&mut one, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                Ok(_) => return sender.send(()),
                // What cannot be watched is a file, which reads by itself.
                Err(_) => return Ok(()),
            }
        }
    });
    if gone.await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn show(output: &Output, mut items: mpsc::Receiver<Item>) -> std::io::Result<()> {
    let terminal = std::io::stdout().is_terminal();
    while let Some(first) = items.recv().await {
        let mut out = BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
        let mut next = Some(first);
        while let Some(item) = next {
            match item {
                Item::Note(note) => output.note(&note),
                Item::Line(line) if output.json => {
                    serde_json::to_writer(&mut out, &line)?;
                    out.write_all(b"\n")?;
                }
                Item::Line(line) => write(output, terminal, &line, &mut out)?,
            }
            next = items.try_recv().ok();
        }
        out.flush()?;
    }
    Ok(())
}

/// On a terminal no line can do anything to it; elsewhere it is byte for byte what was written.
fn write(
    output: &Output,
    terminal: bool,
    line: &Line,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let style = output.style;
    let unit = line.unit.trim_end_matches(".service");
    let (time, machine) = (style.dim(&line.time), style.bold(&line.machine));
    if !terminal {
        write!(out, "{time} {machine} {unit} ")?;
        out.write_all(line.raw.as_deref().unwrap_or(line.message.as_bytes()))?;
        return out.write_all(b"\n");
    }
    let message = harmless(&line.message);
    let message = match line.level {
        0..=3 => style.red(&message),
        4 => style.yellow(&message),
        _ => message,
    };
    writeln!(out, "{time} {machine} {} {message}", style.dim(&harmless(unit)))
}
