//! What a person should know before saying yes.

use super::{Input, Work, disk};
use andamio_spec::model::Tls;
use andamio_spec::topology::Entry;

pub(super) fn of(input: &Input<'_>, work: &Work) -> Vec<String> {
    let mut notes = Vec::new();
    if work.image {
        notes.push("the machine image is built first (about a minute, once)".to_owned());
    }
    if !work.create.is_empty() {
        notes.extend(disk::overcommitted(input));
        for budget in
            input.topology.budgets.iter().filter(|b| b.machines == 2 && b.may_be_away == 0)
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
