//! Which machine of a group is broken: the one whose loss is felt most.

use super::Target;
use crate::instance::Shared;
use crate::{Failure, Kind, command};
use andamio_provision::Found;
use andamio_spec::topology::{ports, public_process};
use futures_util::future::join_all;

/// A machine, and the unit on it that is its service; the ops machine has none.
#[derive(Debug, Clone)]
pub(super) struct TargetMachine {
    pub(super) found: Found,
    pub(super) unit: Option<String>,
}

/// The machine that has the role now: who takes the writes, who has the floating address; else the first.
///
/// # Errors
/// When none of the group runs.
pub(super) async fn target_machine(
    instance: &Shared,
    target: Target,
) -> Result<TargetMachine, Failure> {
    let role = target.role();
    let names: Vec<&str> = instance.topology.with_role(role).map(|m| m.name.as_str()).collect();
    let mut machines = Vec::new();
    for name in &names {
        machines.extend(command::machines(instance, name, false)?);
    }
    let ask = match target {
        // Connections of the application: one member has nearly all of them.
        Target::Database => {
            Some(format!("ss -Htn state established 'sport = :{}' | wc -l", ports::MARIADB))
        }
        Target::Balancer => instance
            .topology
            .floating_address()
            .map(|address| format!("ip -4 -o address show to {address} | wc -l")),
        _ => None,
    };
    let mut chosen = 0;
    if let (Some(ask), true) = (ask, machines.len() > 1) {
        let answers = machines.iter().map(|found| count(instance, found, &ask));
        let answers = join_all(answers).await;
        let most = answers.iter().enumerate().rev().max_by_key(|(_, count)| **count);
        chosen = most.map_or(0, |(index, _)| index);
    }
    let found = machines.into_iter().nth(chosen).ok_or_else(|| {
        Failure::new(
            Kind::Failed,
            "drill",
            format!("no {} machine runs", target.as_str()),
            "run `andamio up`",
        )
    })?;
    Ok(TargetMachine { found, unit: unit(instance, target) })
}

async fn count(instance: &Shared, found: &Found, ask: &str) -> u64 {
    let Ok(session) = command::session(instance, found).await else { return 0 };
    let Ok(output) = session.output(ask, &[]).await else { return 0 };
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
}

fn unit(instance: &Shared, target: Target) -> Option<String> {
    let spec = &instance.request.spec;
    match target {
        Target::App => {
            let (process, _) = public_process(spec)?;
            Some(format!("{}-{process}.service", spec.project.name))
        }
        Target::Database => Some("mariadb.service".to_owned()),
        // The first is a master.
        Target::Cache => Some(format!("redis-server@{}.service", ports::REDIS)),
        Target::Queue => Some("rabbitmq-server.service".to_owned()),
        Target::Balancer => Some("haproxy.service".to_owned()),
        Target::Ops => None,
    }
}
