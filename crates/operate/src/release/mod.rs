//! The application's image: what goes into it, and building it on a machine of the instance.

mod archive;
mod base;
mod build;
mod complaint;
mod context;
mod ignore;
mod prune;
mod script;
mod transfer;
mod tree;

pub(crate) use build::Build;
pub use context::{Context, Extra};
pub use ignore::Ignore;
pub use script::script;

use crate::actor::beside;
use crate::{Failure, Instance, Kind, containerfile};
use andamio_converge::Release;
use andamio_engine::{StatePlace, Store, Timestamp, now};
use andamio_spec::Group;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

const SERIES: &str = "releases";
const FIRST_PULSE: Duration = Duration::from_secs(5);
const LONGEST_PULSE: Duration = Duration::from_secs(60);

/// A release that has been live, as the state keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub v: u32,
    /// Empty: none is live since then.
    pub id: String,
    pub image: String,
    pub since: Timestamp,
}

/// Is there an application to deploy, and can its context be read?
///
/// # Errors
/// When the source folder or its Containerfile is missing, or a file that it wants from the build
/// has not been made yet.
pub fn context(instance: &Instance) -> Result<Option<Context>, Failure> {
    let request = &instance.request;
    let Some(source) = source(instance) else { return Ok(None) };
    let mut private = vec![request.identity.clone(), beside(&request.identity)];
    if let StatePlace::Folder(folder) = &request.state {
        private.push(folder.clone());
    }
    Context::read(&source, &request.spec.app.build, &request.target, &private).map(Some)
}

/// The same question before anything has been prepared; nothing is read.
///
/// # Errors
/// When there is no Containerfile.
pub fn is_there(instance: &Instance) -> Result<bool, Failure> {
    let Some(source) = source(instance) else { return Ok(false) };
    containerfile::find(&source, &instance.request.spec.app.build).map(|_| true)
}

fn source(instance: &Instance) -> Option<PathBuf> {
    let app = &instance.request.spec.app;
    let built = is_deployed(instance) && app.image.is_none();
    built.then(|| instance.request.project.join(&app.source))
}

pub(crate) fn is_deployed(instance: &Instance) -> bool {
    instance.environment.groups.contains_key(&Group::App)
}

/// The release that an image of a registry is: named by its digest, or where only a tag is known by that name. A tag that is
/// moved is no other release.
pub(crate) fn of_reference(instance: &Instance, reference: &str) -> Release {
    let id = match reference.split_once("@sha256:") {
        Some((_, digest)) => digest.chars().take(12).collect(),
        None => hex::encode(&Sha256::digest(reference)[..6]),
    };
    Release::new(&id, &format!("localhost/{}:{id}", instance.request.spec.project.name))
}

/// The release that a context becomes: named by its content.
#[must_use]
pub fn of(instance: &Instance, context: &Context) -> Release {
    let id = &context.digest;
    let image = format!("localhost/{}:{id}", instance.request.spec.project.name);
    Release::new(id, &image)
}

/// What is heard of a command that works.
pub enum Heard<'a> {
    Line(&'a str),
    /// It works for so long; what it said last. Ever rarer, at least once a minute.
    Still {
        seconds: u64,
        last: &'a str,
    },
}

/// Runs `[app].prepare`, and passes on what it says.
///
/// # Errors
/// When it cannot be started or fails; with its last lines.
pub async fn prepare(instance: &Instance, mut heard: impl FnMut(Heard<'_>)) -> Result<(), Failure> {
    let command = &instance.request.spec.app.prepare;
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let line = command.join(" ");
    let help = "mend it, or correct `prepare` in andamio.toml; nothing was changed";
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .current_dir(&instance.request.project)
        .env("CARGO_TARGET_DIR", &instance.request.target)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| {
            Failure::new(Kind::Host, "prepare", format!("cannot start `{line}`: {e}"), help)
        })?;
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let readers = [
        child.stdout.take().map(|s| tokio::spawn(forward(s, sender.clone()))),
        child.stderr.take().map(|s| tokio::spawn(forward(s, sender.clone()))),
    ];
    drop(sender);
    let mut last: Vec<String> = Vec::new();
    let begun = Instant::now();
    let mut pulse = FIRST_PULSE;
    loop {
        tokio::select! {
            text = lines.recv() => {
                let Some(text) = text else { break };
                heard(Heard::Line(text.trim()));
                last.push(text);
                if last.len() > 20 {
                    last.remove(0);
                }
            }
            () = tokio::time::sleep(pulse.saturating_sub(begun.elapsed())) => {
                heard(Heard::Still {
                    seconds: begun.elapsed().as_secs(),
                    last: last.last().map_or("", |line| line.trim()),
                });
                pulse = (2 * pulse).min(pulse + LONGEST_PULSE);
            }
        }
    }
    for reader in readers.into_iter().flatten() {
        let _ = reader.await;
    }
    let status = child
        .wait()
        .await
        .map_err(|e| Failure::new(Kind::Failed, "prepare", format!("`{line}`: {e}"), help))?;
    if status.success() {
        return Ok(());
    }
    let message = format!("`{line}` failed:\n{}", last.join("\n"));
    Err(Failure::new(Kind::Failed, "prepare", message, help))
}

async fn forward(stream: impl AsyncRead + Unpin, to: tokio::sync::mpsc::UnboundedSender<String>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = to.send(line);
    }
}

/// The newest release that went live.
///
/// # Errors
/// When the state cannot be read.
pub async fn current(instance: &Instance) -> Result<Option<Record>, Failure> {
    live(&instance.store).await
}

pub(crate) async fn live(store: &Store) -> Result<Option<Record>, Failure> {
    let newest = store.newest(SERIES).await?;
    let record: Option<Record> = newest.and_then(|(_, body)| serde_json::from_slice(&body).ok());
    Ok(record.filter(|r| !r.id.is_empty()))
}

/// Nothing is live any more: the instance was taken down.
pub(crate) async fn forget(store: &Store) -> Result<(), Failure> {
    if live(store).await?.is_some() {
        append(store, String::new(), String::new()).await?;
    }
    Ok(())
}

async fn append(store: &Store, id: String, image: String) -> Result<(), Failure> {
    let record = Record { v: 1, id, image, since: now() };
    let body = serde_json::to_vec_pretty(&record).unwrap_or_default();
    store.append(SERIES, body).await?;
    Ok(())
}

/// Notes that a release is live, and removes images that are not needed any more from these machines.
pub(crate) async fn record(
    instance: &Instance,
    release: &Release,
    machines: Vec<String>,
) -> Result<(), Failure> {
    if current(instance).await?.is_some_and(|r| r.id == release.id) {
        return Ok(());
    }
    append(&instance.store, release.id.clone(), release.image.clone()).await?;
    prune::prune(instance, release, machines).await;
    Ok(())
}
