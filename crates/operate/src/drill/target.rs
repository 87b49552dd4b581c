//! Which machine of a group is broken: the one whose loss is felt most.

use super::Target;
use crate::instance::Shared;
use crate::{Failure, Kind, command};
use andamio_provision::Found;
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
    let ask = (target.table().users)(&instance.topology);
    let mut chosen = 0;
    if let (Some(ask), true) = (ask, machines.len() > 1) {
        let answers = machines.iter().map(|found| command::count(instance, found, &ask));
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
    Ok(TargetMachine { found, unit: (target.table().unit)(&instance.request.spec) })
}
