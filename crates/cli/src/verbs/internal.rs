//! The other side: what this program does on a machine, and while it becomes one.

use crate::args::{Internal, NodeVerb};
use crate::exit::{Exit, Stop};
use andamio_node::{
    Attended, Mode, Order, attend, certificate, facts, first, health, identities, pass, serve,
    task, transfer,
};
use andamio_provision::local::FaultInjection;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::AsyncReadExt;

pub(crate) fn launch(folder: &Path, groups: &[PathBuf]) -> Result<Exit, Stop> {
    match andamio_provision::local::launch(folder, groups) {
        Ok(never) => match never {},
        Err(error) => Err(andamio_operate::Failure::from(error).into()),
    }
}

/// Comes before the runtime: it watches signals, which only a process with one thread can.
pub(crate) fn attended(
    token: &str,
    container: Option<&str>,
    command: &[String],
) -> Result<Exit, Stop> {
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let terminal = stdin.is_terminal() && stdout.is_terminal();
    let output = stdout.as_fd();
    let status = attend(&Attended { token, container, command, output, terminal });
    status.map(Exit::Remote).map_err(|e| Stop::failed("node", e, "see the node's journal"))
}

/// This program as the first process of a container: podman calls it so, with `--` before the command.
pub(crate) fn first_process() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    let name = words.next()?;
    if Path::new(&name).file_name()? != "podman-init" {
        return None;
    }
    let command: Vec<OsString> = words.skip_while(|word| word == "--").collect();
    Some(ExitCode::from(first(&command).unwrap_or_else(|(code, failure)| {
        crate::output::complaint(&failure.to_string());
        code
    })))
}

pub(crate) async fn machine(what: &Internal) -> Result<Exit, Stop> {
    match what {
        // It becomes another program, which the runtime's threads would be in the way of.
        Internal::Launch { folder, groups } => launch(folder, groups),
        Internal::Revert { instance, machine, interface, address } => {
            let injection = FaultInjection {
                instance: instance.clone(),
                machine: machine.clone(),
                interface: interface.clone(),
                address: *address,
            };
            // A drill that ends, however it ends, closes it.
            let mut rest = Vec::new();
            let _ = tokio::io::stdin().read_to_end(&mut rest).await;
            andamio_operate::drill::revert(&injection).await?;
            Ok(Exit::Done)
        }
    }
}

pub(crate) async fn node(what: &NodeVerb) -> Result<Exit, Stop> {
    let failed = |e: andamio_node::Failure| Stop::failed("node", e, "see the node's journal");
    match what {
        NodeVerb::Apply { check } => {
            let mode = if *check { Mode::Check } else { Mode::Apply };
            let report = serve(std::io::stdin(), &mut std::io::stdout(), mode).await;
            let bad = report.failed > 0 || report.error.is_some();
            Ok(if bad { Exit::Failed } else { Exit::Done })
        }
        NodeVerb::Attend { token, container, command } => {
            attended(token, container.as_deref(), command)
        }
        NodeVerb::Signal { token, signal } => {
            pass(token, signal).map_err(failed)?;
            Ok(Exit::Done)
        }
        NodeVerb::Confirm { token } => {
            andamio_node::confirm(token).map_err(failed)?;
            Ok(Exit::Done)
        }
        NodeVerb::UndoFirewall { token, after } => {
            let seconds = after.trim_end_matches('s').parse().unwrap_or(20);
            andamio_node::undo_firewall(token, Duration::from_secs(seconds))
                .await
                .map_err(failed)?;
            Ok(Exit::Done)
        }
        NodeVerb::Task => {
            let answer = task(std::io::stdin()).await.map_err(failed)?;
            crate::output::line(&answer.to_string());
            Ok(Exit::Done)
        }
        NodeVerb::Load => {
            let each = |line: &_| crate::output::line_or_end(line);
            andamio_node::load(std::io::stdin(), each).await.map_err(failed)?;
            Ok(Exit::Done)
        }
        NodeVerb::Health { listen, socket, identity } => {
            health(listen, socket, identity).await.map_err(failed)?;
            Ok(Exit::Done)
        }
        NodeVerb::Certificate { directory, contact, domain, roots } => {
            let order = Order { directory, contact, domain, roots: roots.as_deref() };
            crate::output::line(&certificate(&order).await.map_err(failed)?);
            Ok(Exit::Done)
        }
        NodeVerb::Identities => {
            for line in identities().await.map_err(failed)? {
                crate::output::line(&line);
            }
            Ok(Exit::Done)
        }
        NodeVerb::Transfer { inside } => {
            let sent = transfer(inside.as_deref()).await.map_err(failed)?;
            crate::output::line(&serde_json::to_string(&sent).unwrap_or_default());
            Ok(Exit::Done)
        }
        NodeVerb::Facts => {
            let text = serde_json::to_string(&facts().await).unwrap_or_default();
            crate::output::line(&text);
            Ok(Exit::Done)
        }
    }
}
