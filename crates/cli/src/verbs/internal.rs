//! The other side: what this program does on a machine, and while it becomes one.

use crate::args::{Internal, NodeVerb};
use crate::exit::{Exit, Stop};
use andamio_node::{Mode, Order, certificate, facts, health, identities, serve, task, transfer};
use andamio_provision::local::Injury;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncReadExt;

pub(crate) fn launch(folder: &Path, groups: &[PathBuf]) -> Result<Exit, Stop> {
    match andamio_provision::local::launch(folder, groups) {
        Ok(never) => match never {},
        Err(error) => Err(andamio_operate::Failure::from(error).into()),
    }
}

pub(crate) async fn machine(what: &Internal) -> Result<Exit, Stop> {
    match what {
        // It becomes another program, which the runtime's threads would be in the way of.
        Internal::Launch { folder, groups } => launch(folder, groups),
        Internal::Mend { instance, machine, interface, address } => {
            let injury = Injury {
                instance: instance.clone(),
                machine: machine.clone(),
                interface: interface.clone(),
                address: *address,
            };
            // A drill that ends, however it ends, closes it.
            let mut rest = Vec::new();
            let _ = tokio::io::stdin().read_to_end(&mut rest).await;
            andamio_operate::drill::mend(&injury).await?;
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
