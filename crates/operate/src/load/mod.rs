//! A load on an environment, for `load` and for drills: what is sent, and from where. An application that says nothing
//! and has no program for it is asked what its readiness is asked.

mod running;

pub use running::{Progress, Running};

use crate::declared::no_release;
use crate::instance::Shared;
use crate::{Failure, Instance, Kind, command, release};
use andamio_converge::{Release, outsider};
use andamio_provision::{Found, MachineState};
use andamio_remote::{Session, quote};
use andamio_spec::topology::{Machine, Role, public_process};
use andamio_spec::{Load, Ready};

pub use andamio_manifest::{LoadFigures, LoadRequest};

/// One account takes 20 requests a second at most; with a quarter of that a stall may pile up.
const OF_ONE_ACCOUNT: u32 = 4;
/// Seconds that a program may take to say how it is called; one that begins to serve instead is ended.
const HELP: u32 = 10;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requests {
    /// These, by this program itself.
    Own(Vec<LoadRequest>),
    /// What the application's program sends, for these accounts, which it made.
    Program { command: Vec<String>, accounts: Vec<u8> },
}

/// Where a load comes from: the ops machine, else one that has the application's image.
#[must_use]
pub fn source<'i>(instance: &'i Instance, broken: &str) -> Option<&'i Machine> {
    let topology = &instance.topology;
    topology.with_role(Role::Ops).chain(topology.with_role(Role::App)).find(|m| m.name != broken)
}

/// The same as it is found; the broken one where there is no other.
///
/// # Errors
/// When it does not run.
pub fn found(instance: &Instance, broken: &str) -> Result<Found, Failure> {
    let machine = source(instance, broken).or_else(|| source(instance, ""));
    let found = machine.and_then(|m| instance.inventory().get(&m.name).cloned());
    found.filter(|found| found.state == MachineState::Running).ok_or_else(|| {
        let help = format!("run `andamio up {}`", instance.topology.env);
        Failure::new(Kind::Failed, "load", "no machine to send the load from runs", &help)
    })
}

/// Decides what is sent, and makes accounts where a program wants some, enough for the rate. `declared` is the file's
/// word, which may be newer than what is recorded.
///
/// # Errors
/// When nothing is live or listens, or the program makes no accounts.
pub async fn prepare(
    instance: &Shared,
    declared: Option<&Load>,
    rate: u32,
) -> Result<Requests, Failure> {
    let spec = &instance.request.spec;
    let (_, process) = public_process(spec).ok_or_else(|| {
        let message =
            format!("{} has no process with a port, so nothing can be asked", instance.name());
        Failure::new(Kind::Refused, "load", message, "give a process of the application a port")
    })?;
    let live = live(instance).await?;
    let command = match declared {
        Some(Load::Requests(requests)) => {
            return Ok(Requests::Own(requests.iter().map(declare).collect()));
        }
        Some(Load::Program(command)) => command.clone(),
        None => match process.command.first() {
            Some(program) if has_load(instance, &live, program).await? => vec![program.clone()],
            _ => return Ok(Requests::Own(vec![readiness(spec.app.ready_of(process))])),
        },
    };
    let accounts = seed(instance, &command, rate).await?;
    Ok(Requests::Program { command, accounts })
}

fn declare(request: &andamio_spec::LoadRequest) -> LoadRequest {
    LoadRequest {
        method: request.method.clone(),
        path: request.path.clone(),
        weight: request.weight,
        headers: request.headers.clone(),
        body: request.body.clone().unwrap_or_default(),
        status: request.status.clone(),
    }
}

/// What its readiness is asked; where that is no request, the page that comes first.
fn readiness(ready: &Ready) -> LoadRequest {
    let (path, headers, status) = match ready {
        Ready::Path { path, status, headers, .. } => {
            (path.as_str(), headers.clone(), status.clone())
        }
        _ => ("/", [].into(), Vec::new()),
    };
    let (method, path, body) = ("GET".to_owned(), path.to_owned(), String::new());
    LoadRequest { method, path, weight: 1, headers, body, status }
}

async fn live(instance: &Shared) -> Result<Release, Failure> {
    let live = release::current(instance).await?.ok_or_else(|| no_release(instance))?;
    Ok(Release::new(&live.id, &live.image))
}

async fn session(instance: &Instance, from: &Found) -> Result<std::sync::Arc<Session>, Failure> {
    command::session(instance, from).await
}

/// Whether the program has both subcommands with the options that they are called with. A server's own help, which many
/// print whatever comes before `--help`, does not have these.
async fn has_load(instance: &Shared, live: &Release, program: &str) -> Result<bool, Failure> {
    let from = found(instance, "")?;
    let session = session(instance, &from).await?;
    for (verb, options) in
        [("seed", &["--employees"][..]), ("load", &["--url", "--rate", "--seconds"])]
    {
        let words = [program, verb, "--help"].map(str::to_owned);
        let limit = format!("--timeout={HELP}");
        let argv = with_options(outsider(live, false, &words), &[&limit]);
        let output = session.output(&quote(&argv), &[]).await?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.exit.success() || !options.iter().all(|option| said.contains(option)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `podman run` with more options.
fn with_options(mut argv: Vec<String>, options: &[&str]) -> Vec<String> {
    let at = 2.min(argv.len());
    argv.splice(at..at, options.iter().map(|&option| option.to_owned()));
    argv
}

/// Accounts in the application; the answer is what `load` reads.
async fn seed(instance: &Shared, program: &[String], rate: u32) -> Result<Vec<u8>, Failure> {
    let count = rate.div_ceil(OF_ONE_ACCOUNT).to_string();
    let words = ["seed", "--employees", &count].map(str::to_owned);
    let (found, argv, _) = command::app(instance, None, &[program, &words[..]].concat()).await?;
    let output = session(instance, &found).await?.output(&quote(&argv), &[]).await?;
    if output.exit.success() && !output.stdout.is_empty() {
        return Ok(output.stdout);
    }
    Err(Failure::new(
        Kind::Failed,
        "load",
        format!("`{} seed`: {}", program.join(" "), output.complaint()),
        "a program that loads needs the subcommands `seed` and `load`; without one name requests in [app] load",
    ))
}

impl Requests {
    /// In a few words.
    #[must_use]
    pub fn described(&self) -> String {
        match self {
            Self::Program { command, .. } => format!("`{} load`", command.join(" ")),
            Self::Own(requests) => match requests.as_slice() {
                [one] => format!("{} {}", one.method, one.path),
                several => format!("{} different requests", several.len()),
            },
        }
    }
}
