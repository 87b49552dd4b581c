//! What a person should know before saying yes.

use super::{Input, PlannedChanges, disk};
use crate::plan::Change;
use andamio_converge::HAPROXY_CONFIG;
use andamio_spec::model::Tls;
use andamio_spec::topology::Entry;
use std::collections::BTreeSet;

pub(super) fn of(input: &Input<'_>, planned: &PlannedChanges, changes: &[Change]) -> Vec<String> {
    let mut notes = Vec::new();
    if input.live && changes.iter().any(moves_application) {
        notes.push(
            "the balancers reach the application at another port from now on: people get errors for some seconds, \
             from when the last of its machines has moved until the balancers follow"
                .to_owned(),
        );
    }
    if planned.note && planned.converge.is_empty() {
        notes.push(
            "the machines run this release already; `up` notes it as the live one".to_owned(),
        );
    }
    for change in changes {
        notes.extend(lost_data(change).map(|folder| {
            format!(
                "{}: the data in {folder} is gone; what only it held is lost, and it begins empty. To bring it back \
                 from a copy, do that first",
                change.machine
            )
        }));
    }
    if planned.image {
        notes.push("the machine image is built first (about a minute, once)".to_owned());
    }
    if !planned.create.is_empty() {
        notes.extend(disk::overcommitted(input));
        for budget in
            input.topology.budgets.iter().filter(|b| b.machines == 2 && b.max_unavailable == 0)
        {
            notes.push(format!("{}: {}", budget.group, budget.reason));
        }
    }
    if input.topology.entry == Entry::Own && matches!(input.environment.tls, Tls::Acme { .. }) {
        notes.push(
            "tls: no public authority can reach this machine; the balancers show a certificate of the \
             environment's own authority, and serve plain HTTP beside it"
                .to_owned(),
        );
    }
    notes
}

/// Kind of the resource that is a folder with data.
pub(super) const STORE: &str = "store:";

/// The folder whose data is gone, where a change says so.
pub(super) fn lost_data(change: &Change) -> Option<&str> {
    change.resource.strip_prefix(STORE).filter(|_| change.disrupts)
}

/// A balancer is told another port of an application's machine, as when `tls` is declared in an environment
/// that serves.
pub(super) fn moves_application(change: &Change) -> bool {
    let ports = |sign: char| {
        let lines = change.diff.lines().filter_map(move |line| line.strip_prefix(sign));
        let servers = lines.filter_map(|line| line.trim().strip_prefix("server "));
        servers.filter_map(|server| server.split_whitespace().nth(1)?.split(':').nth(1)).collect()
    };
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) = (ports('-'), ports('+'));
    change.resource.strip_prefix("file:") == Some(HAPROXY_CONFIG)
        && !before.is_empty()
        && !after.is_empty()
        && before != after
}
