//! The bill, before and after.

use super::Input;
use crate::plan::CostChange;
use andamio_provision::MachineState;
use andamio_spec::price::cost_of;
use andamio_spec::{Group, Refusal, check_budget, counts};
use std::collections::BTreeMap;

/// What the machines cost at the list prices of Linode, also where they run on this host: a rehearsal
/// shows the bill of the real thing.
pub(super) fn change(input: &Input<'_>) -> (Option<CostChange>, Option<Refusal>) {
    let price = |counts: &_| cost_of(input.environment, input.currency, counts).ok();
    let declared = counts(input.environment);
    let Some(after) = price(&declared) else { return (None, None) };
    let mut there: BTreeMap<Group, u32> = BTreeMap::new();
    for machine in &input.topology.machines {
        let found = input.observed.inventory.get(&machine.name);
        if found.is_some_and(|f| f.state != MachineState::Missing) {
            *there.entry(machine.group).or_default() += 1;
        }
    }
    let before = if there.is_empty() { 0.0 } else { price(&there).map_or(0.0, |c| c.total_month) };
    let change = CostChange {
        currency: input.currency.as_str().to_owned(),
        month_before: before,
        month_after: after.total_month,
        budget: input.environment.budget.map(f64::from),
    };
    (Some(change), check_budget(&after))
}
