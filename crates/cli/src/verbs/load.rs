use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, load as display};
use crate::project::look;
use crate::run::{confirm, signals};
use andamio_engine::ErrorReport;
use andamio_operate::Failure;
use andamio_operate::load::{LoadFigures, Progress, Running, found, prepare};
use serde::Serialize;
use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::Signal;

/// What is asked for.
pub(crate) struct Wanted<'a> {
    pub(crate) rate: u32,
    pub(crate) seconds: u32,
    pub(crate) out: Option<&'a Path>,
}

/// The answer, also what `--out` writes.
#[derive(Serialize)]
struct Load<'a> {
    v: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    env: &'a str,
    place: &'a str,
    /// Machine that it came from, and what was sent.
    from: &'a str,
    sent: String,
    rate: u32,
    seconds: u32,
    #[serde(flatten)]
    figures: &'a LoadFigures,
}

pub(crate) async fn load(
    global: &Global,
    output: &Output,
    env: &str,
    wanted: &Wanted<'_>,
) -> Result<Exit, Stop> {
    if let Some(file) = wanted.out {
        check(file)?;
    }
    let instance = Arc::new(look(global, env).await?);
    let &Wanted { rate, seconds, .. } = wanted;
    let topology = &instance.topology;
    if topology.env != "dev" {
        let question =
            format!("This sends {rate} requests a second to {} for {seconds} s.", instance.name());
        confirm(&question, global.yes)?;
    }
    let from = found(&instance, "")?;
    let declared = instance.request.spec.app.load.as_ref();
    let requests = prepare(&instance, declared, rate).await?;
    let sent = requests.described();
    output.note(&format!("{rate} requests a second for {seconds} s from {}: {sent}", from.name));
    let running = Running::start(&instance, &from, &requests, rate, seconds).await?;
    let (figures, interrupted) = follow(running, output).await?;
    let document = Load {
        v: 1,
        kind: "load",
        env: &topology.env,
        place: &topology.place,
        from: &from.name,
        sent,
        rate,
        seconds,
        figures: &figures,
    };
    if let Some(file) = wanted.out {
        let text = serde_json::to_string_pretty(&document).unwrap_or_default();
        write(file, &(text + "\n")).map_err(|e| unwritable(file, &e.to_string()))?;
    }
    if output.json {
        output.document(&document);
    } else {
        output.answer(&display(&figures, rate));
    }
    match verdict(&figures) {
        _ if interrupted => Err(Stop::NodeReport(Exit::Interrupted)),
        Some((message, help)) if !output.json => Err(Stop::failed("load", message, help)),
        // The document says it.
        Some(_) => Err(Stop::NodeReport(Exit::Failed)),
        None => Ok(Exit::Done),
    }
}

/// Until it ends; the first Ctrl-C asks it to, the second leaves at once. Says whether somebody did.
async fn follow(mut running: Running, output: &Output) -> Result<(LoadFigures, bool), Stop> {
    let mut signals = signals();
    let mut interrupted = false;
    let ended = loop {
        tokio::select! {
            // What was said before the end is shown before it.
            biased;
            Some(progress) = running.progress.recv() => output.note(&said(&progress)),
            ended = &mut running.ended => break ended,
            () = heard(&mut signals) => {
                if interrupted {
                    return Err(Stop::NodeReport(Exit::Interrupted));
                }
                interrupted = true;
                output.note("ending the load");
                running.interrupt().await;
            }
        }
    };
    let ended = ended.unwrap_or_else(|_| {
        Err(ErrorReport::new("load", "the load broke off", "run the same command again"))
    });
    match ended {
        Ok(figures) => Ok((figures, interrupted)),
        Err(_) if interrupted => Err(Stop::NodeReport(Exit::Interrupted)),
        Err(error) => Err(Failure::from(error).into()),
    }
}

async fn heard(signals: &mut Option<(Signal, Signal)>) {
    let Some((interrupt, terminate)) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn said(progress: &Progress) -> String {
    let Progress { second, requests, failures, p99_ms } = progress;
    format!("{second:>4} s  {requests} answers, {failures} failures, p99 {p99_ms:.1} ms")
}

/// What makes it fail: records that are gone, or nothing that succeeded. Failures alone are figures.
fn verdict(figures: &LoadFigures) -> Option<(String, &'static str)> {
    if let Some(lost @ 1..) = figures.lost() {
        let help =
            "what the application confirmed is not there: see its journal with `andamio logs`";
        return Some((format!("{lost} acknowledged records are lost"), help));
    }
    let help = "the figures say why; is the environment healthy? see `andamio status`";
    (figures.failures == figures.requests)
        .then(|| (format!("not one of {} requests succeeded", figures.requests), help))
}

/// Before the load, which may take an hour: what is there is a file of this name, or nothing in a folder.
fn check(file: &Path) -> Result<(), Stop> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if !folder.unwrap_or(Path::new(".")).is_dir() {
        return Err(unwritable(file, "there is no such folder"));
    }
    match file.symlink_metadata() {
        Ok(there) if !there.is_file() => Err(unwritable(file, "it is there and is no plain file")),
        _ if file.file_name().is_none() => Err(unwritable(file, "it names no file")),
        _ => Ok(()),
    }
}

/// Complete or not at all, and never through a link that somebody put there.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = file.with_file_name(name);
    let written = (|| {
        let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        open.write_all(text.as_bytes())?;
        open.set_permissions(Permissions::from_mode(0o644))?;
        std::fs::rename(&beside, file)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn unwritable(file: &Path, why: &str) -> Stop {
    let message = format!("cannot write {}: {why}", file.display());
    Stop::failed("out", message, "name another file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lost_records_and_no_success_at_all_make_it_fail() {
        let mut figures = LoadFigures { requests: 10, failures: 9, ..LoadFigures::default() };
        assert_eq!(verdict(&figures), None);
        figures.missing = Some(0);
        assert_eq!(verdict(&figures), None);
        figures.unread = 1;
        assert!(verdict(&figures).unwrap().0.starts_with("1 acknowledged"));
        figures = LoadFigures { requests: 10, failures: 10, ..LoadFigures::default() };
        assert!(verdict(&figures).unwrap().0.starts_with("not one of 10"));
    }

    #[test]
    fn a_file_is_made_or_replaced_and_a_link_is_not_followed() {
        let folder = std::env::temp_dir().join(format!("andamio-load-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (file, link) = (folder.join("out.json"), folder.join("link"));
        for text in ["one\n", "two\n"] {
            assert!(check(&file).is_ok());
            write(&file, text).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let (none, root, up) = (folder.join("no/file"), Path::new("/"), Path::new(".."));
        for bad in [link.as_path(), folder.as_path(), none.as_path(), root, up] {
            assert!(check(bad).is_err(), "{}", bad.display());
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
