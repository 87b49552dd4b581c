//! The load of a drill: the application's own `load`, from a machine that is not the one that is broken.

use crate::failure::remote_fault;
use crate::instance::Shared;
use crate::{Failure, Instance, Kind, command, release};
use andamio_converge::{Release, outsider};
use andamio_engine::ErrorReport;
use andamio_provision::Found;
use andamio_remote::{Session, Stream, quote};
use andamio_spec::topology::{Machine, Role, public_process};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What the application's `load --json` prints.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Measured {
    pub(super) requests: u64,
    pub(super) failures: u64,
    pub(super) longest_gap_ms: u64,
    pub(super) acknowledged: u64,
    pub(super) missing: u64,
    /// Acknowledged, and nobody could say at the end whether it is there.
    #[serde(default)]
    pub(super) unread: u64,
    /// Failures by what they were: a status, no answer in time, a connection.
    #[serde(default)]
    pub(super) causes: BTreeMap<String, u64>,
    #[serde(default)]
    pub(super) timeline: Vec<[u32; 2]>,
}

/// A load under way.
pub(super) struct Load {
    /// Comes when the first request is sent.
    pub(super) begun: oneshot::Receiver<()>,
    pub(super) ended: JoinHandle<Result<Measured, ErrorReport>>,
}

/// Where the load comes from: the ops machine, else one that has the application's image.
pub(super) fn source<'i>(instance: &'i Instance, broken: &str) -> Option<&'i Machine> {
    let topology = &instance.topology;
    topology.with_role(Role::Ops).chain(topology.with_role(Role::App)).find(|m| m.name != broken)
}

/// `load` says so, with the rate before it, when everybody is signed in and the first request is due. Nothing else
/// tells: its first words come earlier, podman may have some of its own, and its output comes at the end.
const BEGUN: &[u8] = b"a second";

/// One account takes 20 requests a second at most; with a quarter of that a stall may pile up.
const OF_ONE_ACCOUNT: u32 = 4;

/// Makes accounts in the application, enough for the rate; the answer is what `load` reads.
///
/// # Errors
/// When nothing is live, or the application's program has no `seed`.
pub(super) async fn accounts(instance: &Shared, rate: u32) -> Result<Vec<u8>, Failure> {
    let count = rate.div_ceil(OF_ONE_ACCOUNT).to_string();
    let words = ["seed", "--employees", &count].map(str::to_owned);
    let (found, argv, _) =
        command::app(instance, None, &[&[program(instance)?], &words[..]].concat()).await?;
    let session = command::session(instance, &found).await?;
    let output = session.output(&quote(&argv), &[]).await?;
    if output.exit.success() && !output.stdout.is_empty() {
        return Ok(output.stdout);
    }
    Err(Failure::new(
        Kind::Failed,
        "load",
        format!("`{} seed`: {}", program(instance)?, output.complaint()),
        "a drill needs the subcommands `seed` and `load` in the application's program: see the README",
    ))
}

/// The program of the process that serves the public.
fn program(instance: &Instance) -> Result<String, Failure> {
    let process = public_process(&instance.request.spec);
    process.and_then(|(_, process)| process.command.first().cloned()).ok_or_else(|| {
        Failure::new(
            Kind::Refused,
            "load",
            format!("{} has no process with a port, so nothing can be asked", instance.name()),
            "give a process of the application a port",
        )
    })
}

impl Load {
    /// Starts `rate` requests a second for `seconds`.
    pub(super) async fn start(
        instance: &Shared,
        from: &Found,
        accounts: &[u8],
        rate: u32,
        seconds: u32,
    ) -> Result<Self, Failure> {
        let live = release::current(instance).await?.ok_or_else(|| {
            Failure::new(Kind::Failed, "release", "no release is live", "run `andamio up` first")
        })?;
        let release = Release::new(&live.id, &live.image);
        let url = instance.topology.url.clone();
        let (rate, seconds) = (rate.to_string(), seconds.to_string());
        let words = ["load", "--url", &url, "--rate", &rate, "--seconds", &seconds, "--json"];
        let mut argv = vec![program(instance)?];
        argv.extend(words.map(str::to_owned));
        let trusts = instance.topology.entry.is_encrypted();
        let line = quote(&outsider(&release, trusts, &argv));
        let session = command::session(instance, from).await?;
        let (begin, begun) = oneshot::channel();
        let ended = tokio::spawn(follow(session, line, accounts.to_vec(), begin));
        Ok(Self { begun, ended })
    }
}

async fn follow(
    session: Arc<Session>,
    line: String,
    accounts: Vec<u8>,
    begin: oneshot::Sender<()>,
) -> Result<Measured, ErrorReport> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut begin = Some(begin);
    let each = |stream, bytes: &[u8]| {
        match stream {
            Stream::Out => out.extend_from_slice(bytes),
            Stream::Err => {
                err.extend_from_slice(bytes);
                if err.windows(BEGUN.len()).any(|words| words == BEGUN)
                    && let Some(begin) = begin.take()
                {
                    let _ = begin.send(());
                }
            }
        }
        Ok(())
    };
    let exit = session.stream(&line, &accounts, each).await.map_err(|e| remote_fault(&e))?;
    serde_json::from_slice(&out).map_err(|_| {
        let said = String::from_utf8_lossy(&err);
        let message = format!("the load ended with status {}: {}", exit.0, said.trim());
        ErrorReport::new("load", message, "is the environment healthy? see `andamio status`")
    })
}
