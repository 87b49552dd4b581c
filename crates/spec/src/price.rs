//! What an environment costs a month at Linode, whatever place it is on: the price of the real
//! thing is worth knowing while rehearsing it.

use crate::limits::{Refusal, counts, most_counts};
use crate::model::{Currency, Environment, Group, Size, Spec};
use crate::units::format_bytes;
use serde::Serialize;
use std::collections::BTreeMap;

/// A row of the price list.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MachineType {
    pub id: &'static str,
    pub vcpu: u32,
    pub memory_gib: u32,
    pub disk_gib: u32,
    /// Outgoing TB a month that are included, pooled over the account.
    pub transfer_tb: u32,
    /// USD.
    pub month_usd: u32,
}

const fn row(
    id: &'static str,
    [vcpu, memory_gib, disk_gib, transfer_tb]: [u32; 4],
    month_usd: u32,
) -> MachineType {
    MachineType { id, vcpu, memory_gib, disk_gib, transfer_tb, month_usd }
}

/// Linode's public price list (`GET /v4/linode/types`), recorded 2024-07-19; three rows confirmed
/// 2026-09-17. Cheapest first. Other prices hold in id-cgk (about +20 %) and br-gru (about +40 %).
pub const MACHINE_TYPES: &[MachineType] = &[
    row("g6-nanode-1", [1, 1, 25, 1], 5),
    row("g6-standard-1", [1, 2, 50, 2], 12),
    row("g6-standard-2", [2, 4, 80, 4], 24),
    row("g6-dedicated-2", [2, 4, 80, 4], 36),
    row("g6-standard-4", [4, 8, 160, 5], 48),
    row("g6-dedicated-4", [4, 8, 160, 5], 72),
    row("g6-standard-6", [6, 16, 320, 8], 96),
    row("g6-dedicated-8", [8, 16, 320, 6], 144),
    row("g6-standard-8", [8, 32, 640, 16], 192),
    row("g6-dedicated-16", [16, 32, 640, 7], 288),
];

/// USD a month, recorded 2025-08.
pub const NODEBALANCER_USD: u32 = 10;

/// European Central Bank, reference rate of 2025-02-28: 1 EUR = 1.0411 USD. A fixed rate keeps
/// plans and budgets reproducible; the date is shown beside every amount.
pub const RATE: Rate = Rate { usd_eur: 0.9605, date: "2025-02-28" };

/// Euros for one dollar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    pub usd_eur: f64,
    pub date: &'static str,
}

/// Serializes as the contract's `cost`. Traffic beyond the pool, object storage and volumes are not
/// in it: they follow use, not the plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    pub env: String,
    pub currency: Currency,
    pub items: Vec<CostItem>,
    /// Money a month, two decimals.
    pub total_month: f64,
    /// The same with every group at its `max`.
    pub max_month: f64,
    pub budget: Option<u32>,
    pub rate: Rate,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostItem {
    /// Group, or `nodebalancer`.
    pub name: String,
    #[serde(rename = "type")]
    pub machine_type: String,
    pub count: u32,
    /// Money a month for all of them.
    pub month: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    #[error("no environment `{0}`")]
    UnknownEnvironment(String),
    #[error("{group}: no type of machine has {size} and a disk of {disk}")]
    NoMachineType { group: Group, size: Size, disk: String },
}

/// The cheapest type with at least this many processors, this memory and this disk.
#[must_use]
pub fn machine_type(size: Size, disk_bytes: u64) -> Option<&'static MachineType> {
    MACHINE_TYPES.iter().find(|row| {
        row.vcpu >= size.vcpu
            && u64::from(row.memory_gib) << 30 >= size.memory_bytes
            && u64::from(row.disk_gib) << 30 >= disk_bytes
    })
}

pub(crate) fn largest() -> String {
    MACHINE_TYPES.last().map_or_else(String::new, |row| {
        format!("{}x{} with {} GB ({})", row.vcpu, row.memory_gib, row.disk_gib, row.id)
    })
}

/// Cost of the declared machines of an environment.
///
/// # Errors
/// The environment does not exist, or a size is not on the list.
pub fn cost(spec: &Spec, env: &str) -> Result<Cost, CostError> {
    let env = spec
        .environments
        .iter()
        .find(|known| known.name == env)
        .ok_or_else(|| CostError::UnknownEnvironment(env.to_owned()))?;
    cost_of(env, spec.project.currency, &counts(env))
}

/// Cost of so many machines in each group of the environment.
///
/// # Errors
/// A size is not on the list.
pub fn cost_of(
    env: &Environment,
    currency: Currency,
    machines: &BTreeMap<Group, u32>,
) -> Result<Cost, CostError> {
    let money = |usd: u32| convert(usd, currency);
    let rows = rows(env, machines)?;
    let total = total_usd(&rows);
    let most = total_usd(&self::rows(env, &most_counts(env))?);
    let items = rows
        .into_iter()
        .map(|(name, machine_type, count, usd)| CostItem {
            name,
            machine_type,
            count,
            month: money(count.saturating_mul(usd)),
        })
        .collect();
    Ok(Cost {
        env: env.name.clone(),
        currency,
        items,
        total_month: money(total),
        max_month: money(most),
        budget: env.budget,
        rate: RATE,
    })
}

/// Name, type, count and USD a month of one.
type Row = (String, String, u32, u32);

fn rows(env: &Environment, machines: &BTreeMap<Group, u32>) -> Result<Vec<Row>, CostError> {
    let mut rows = Vec::new();
    for (group, spec) in &env.groups {
        let count = machines.get(group).copied().unwrap_or_default();
        if count == 0 {
            continue;
        }
        let found =
            machine_type(spec.size, spec.disk_bytes).ok_or_else(|| CostError::NoMachineType {
                group: *group,
                size: spec.size,
                disk: format_bytes(spec.disk_bytes),
            })?;
        rows.push((group.to_string(), found.id.to_owned(), count, found.month_usd));
    }
    // It stands before the same HAProxy machines, however many there are.
    if machines.get(&Group::Balancer).is_some_and(|count| *count > 0) {
        rows.push(("nodebalancer".to_owned(), "nodebalancer".to_owned(), 1, NODEBALANCER_USD));
    }
    Ok(rows)
}

fn total_usd(rows: &[Row]) -> u32 {
    rows.iter().fold(0, |sum, (_, _, count, usd)| sum.saturating_add(count.saturating_mul(*usd)))
}

/// Rounded to cents.
fn convert(usd: u32, currency: Currency) -> f64 {
    let amount = match currency {
        Currency::Usd => f64::from(usd),
        Currency::Eur => f64::from(usd) * RATE.usd_eur,
    };
    (amount * 100.0).round() / 100.0
}

/// Refuses what costs more than the environment's budget.
#[must_use]
pub fn check_budget(cost: &Cost) -> Option<Refusal> {
    let budget = cost.budget?;
    let Cost { env, currency, total_month, rate, .. } = cost;
    (*total_month > f64::from(budget)).then(|| Refusal {
        code: "budget",
        message: format!(
            "`{env}` would cost {total_month:.2} {currency} a month, and its budget is {budget}"
        ),
        help: format!(
            "raise environments.{env}.budget, or declare fewer or smaller machines \
             (list prices, rate of {})",
            rate.date
        ),
    })
}
