//! From machines to money: items, least, expected and most, and the budget.

use super::{
    LIST_DATE, MachineType, NODEBALANCER, OBJECT_STORAGE, Price, RATE, Rate, TRANSFER_GB, Usd,
    VOLUME_GB, list,
};
use crate::limits::{Refusal, counts, growable};
use crate::model::{Currency, Environment, Group, GroupSpec, Place, Size, Spec};
use crate::units::{GB, TB, format_bytes};
use serde::Serialize;
use std::collections::BTreeMap;

/// Hours of a week in which groups that grow are taken to be at their `max`: working time, which is
/// when people clock in and out. An assumption, and said beside the figure.
pub const EXPECTED_HOURS: u64 = 40;
const WEEK_HOURS: u64 = 168;

/// Serializes as the contract's `cost`. Object storage beyond what its price includes is not in it: it
/// follows use, not the plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    pub env: String,
    pub place: String,
    /// Empty where there is no region.
    pub region: String,
    pub currency: Currency,
    pub items: Vec<CostItem>,
    /// Money a month with the declared machines: the least. Two decimals.
    pub total_month: f64,
    pub total_month_usd: f64,
    /// Money an hour, four decimals.
    pub total_hour: f64,
    /// Groups that grow are at their `max` for [`EXPECTED_HOURS`] a week.
    pub expected_month: f64,
    /// Every group at its `max`, and all the traffic that the limits allow.
    pub max_month: f64,
    pub budget: Option<u32>,
    /// What the budget leaves; negative: what is over.
    pub left_month: Option<f64>,
    pub rate: Rate,
    /// When the prices were recorded.
    pub list_date: &'static str,
    /// How to read the figures.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostItem {
    /// Group, or what is bought beside machines.
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub count: u32,
    /// Money a month for one of them.
    pub each_month: f64,
    /// Money a month for all of them.
    pub month: f64,
    /// Money an hour for all of them.
    pub hour: f64,
    pub month_usd: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    #[error("no environment `{0}`")]
    UnknownEnvironment(String),
    #[error("no place `{0}`")]
    UnknownPlace(String),
    #[error("{group}: no type of machine has {size} and a disk of {disk}")]
    NoMachineType { group: Group, size: Size, disk: String },
}

/// Cost of the declared machines of an environment at its own place.
///
/// # Errors
/// The environment does not exist, or a size is not on the list.
pub fn cost(spec: &Spec, env: &str) -> Result<Cost, CostError> {
    let env = find(spec, env)?;
    cost_at(spec, &env.name, &env.on)
}

/// Cost of the declared machines of an environment at a place. Servers that exist already cost what
/// they cost: nothing is bought for them.
///
/// # Errors
/// The environment or place does not exist, or a size is not on the list.
pub fn cost_at(spec: &Spec, env: &str, place: &str) -> Result<Cost, CostError> {
    let env = find(spec, env)?;
    let kind = spec.places.get(place).ok_or_else(|| CostError::UnknownPlace(place.to_owned()))?;
    let (lines, most, region) = match kind {
        Place::Hosts { .. } => (Vec::new(), Vec::new(), ""),
        Place::Local => (lines(&bought(env, &counts(env))?, 0), most(env, 0)?, ""),
        Place::Linode { region, .. } => {
            let surcharge = list::surcharge_percent(region);
            (lines(&bought(env, &counts(env))?, surcharge), most(env, surcharge)?, region.as_str())
        }
    };
    let mut cost = bill(env, place, spec.project.currency, &lines, &most);
    region.clone_into(&mut cost.region);
    cost.notes = notes(env, kind, &cost);
    Ok(cost)
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
    Ok(bill(env, &env.on, currency, &lines(&bought(env, machines)?, 0), &most(env, 0)?))
}

fn find<'s>(spec: &'s Spec, env: &str) -> Result<&'s Environment, CostError> {
    let mut known = spec.environments.iter();
    known.find(|e| e.name == env).ok_or_else(|| CostError::UnknownEnvironment(env.to_owned()))
}

/// So many of one thing.
struct Line {
    name: String,
    kind: String,
    count: u32,
    each: Price,
}

impl Line {
    fn month(&self) -> Usd {
        self.each.month.times(self.count.into())
    }

    fn hour(&self) -> Usd {
        self.each.hour.times(self.count.into())
    }
}

/// Machines of one group as they are bought: what a bill and a `terraform.tfvars` are both made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Bought {
    pub group: Group,
    pub machine: &'static MachineType,
    pub count: u32,
    /// A volume for each machine; 0: none.
    pub volume_gb: u32,
    /// The platform's backups of whole machines.
    pub backups: bool,
}

/// What so many machines in each group of the environment are bought as.
///
/// # Errors
/// A size is not on the list.
pub fn bought(
    env: &Environment,
    machines: &BTreeMap<Group, u32>,
) -> Result<Vec<Bought>, CostError> {
    let count = |group: &Group| machines.get(group).copied().unwrap_or_default();
    let one = |(group, spec): (&Group, &GroupSpec)| {
        Ok(Bought {
            group: *group,
            machine: type_of(*group, spec)?,
            count: count(group),
            volume_gb: list::volume_gb(*group, spec.layout, spec.disk_bytes),
            backups: list::machine_backups(*group),
        })
    };
    env.groups.iter().filter(|(group, _)| count(group) > 0).map(one).collect()
}

/// Money a month for what is bought, in a region.
#[must_use]
pub fn month_of(bought: &[Bought], region: &str, currency: Currency) -> f64 {
    let lines = lines(bought, list::surcharge_percent(region));
    lines.iter().map(Line::month).sum::<Usd>().in_currency(currency, 2)
}

fn lines(bought: &[Bought], surcharge: u64) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |name: String, kind: String, count: u32, price: Price| {
        let month = price.month.plus_percent(surcharge);
        let hour = price.hour.plus_percent(surcharge);
        lines.push(Line { name, kind, count, each: Price { month, hour } });
    };
    for Bought { group, machine, count, volume_gb, backups } in bought {
        let each = Price { month: machine.month, hour: machine.hour };
        add(group.to_string(), machine.id.to_owned(), *count, each);
        if *volume_gb > 0 {
            let size = u64::from(*volume_gb);
            let (month, hour) = (VOLUME_GB.month.times(size), VOLUME_GB.hour.times(size));
            let kind = format!("volume-{volume_gb}gb");
            add(format!("{group}-volumes"), kind, *count, Price { month, hour });
        }
        if *backups {
            add(format!("{group}-backups"), "backups".to_owned(), *count, machine.backups);
        }
    }
    let has = |group: Group| bought.iter().any(|b| b.group == group && b.count > 0);
    // It stands before the same HAProxy machines, however many there are.
    if has(Group::Balancer) {
        add("nodebalancer".to_owned(), "nodebalancer".to_owned(), 1, NODEBALANCER);
    }
    if has(Group::Mariadb) {
        add("backup-storage".to_owned(), "object-storage".to_owned(), 1, OBJECT_STORAGE);
    }
    lines
}

/// The bill with every group grown as far as it may, and with all the traffic that is allowed.
fn most(env: &Environment, surcharge: u64) -> Result<Vec<Line>, CostError> {
    let mut lines = lines(&bought(env, &growable(env))?, surcharge);
    let beyond_gb = transfer_beyond(env).div_ceil(GB);
    if beyond_gb > 0 {
        let month = TRANSFER_GB.times(beyond_gb).plus_percent(surcharge);
        let each = Price { month, hour: Usd::default() };
        let kind = format!("{beyond_gb} GB");
        lines.push(Line { name: "transfer".to_owned(), kind, count: 1, each });
    }
    Ok(lines)
}

/// The machine that is bought for a group: its disk has to hold only what is not on a volume.
pub(crate) fn type_of(group: Group, spec: &GroupSpec) -> Result<&'static MachineType, CostError> {
    let on_volume = list::volume_gb(group, spec.layout, spec.disk_bytes) > 0;
    let disk = if on_volume { 0 } else { spec.disk_bytes };
    list::machine_type(spec.size, disk).ok_or_else(|| CostError::NoMachineType {
        group,
        size: spec.size,
        disk: format_bytes(disk),
    })
}

/// TB a month that the declared machines may send without paying for it.
pub(crate) fn pool_tb(env: &Environment) -> u64 {
    let of = |(group, spec): (&Group, &GroupSpec)| {
        let row = type_of(*group, spec).ok()?;
        Some(u64::from(row.transfer_tb) * u64::from(spec.machines))
    };
    env.groups.iter().filter_map(of).sum()
}

/// Bytes a month that the limit allows beyond what is included.
pub(crate) fn transfer_beyond(env: &Environment) -> u64 {
    let allowed = env.limits.transfer_bytes.unwrap_or_default();
    allowed.saturating_sub(pool_tb(env).saturating_mul(TB))
}

fn bill(env: &Environment, place: &str, currency: Currency, lines: &[Line], most: &[Line]) -> Cost {
    let month = |amount: Usd| amount.in_currency(currency, 2);
    let hour = |amount: Usd| amount.in_currency(currency, 4);
    let total: Usd = lines.iter().map(Line::month).sum();
    let highest: Usd = most.iter().map(Line::month).sum();
    let expected = total + highest.minus(total).share(EXPECTED_HOURS, WEEK_HOURS);
    let items = lines.iter().map(|line| CostItem {
        name: line.name.clone(),
        kind: line.kind.clone(),
        count: line.count,
        each_month: month(line.each.month),
        month: month(line.month()),
        hour: hour(line.hour()),
        month_usd: line.month().in_currency(Currency::Usd, 2),
    });
    Cost {
        env: env.name.clone(),
        place: place.to_owned(),
        region: String::new(),
        currency,
        items: items.collect(),
        total_month: month(total),
        total_month_usd: total.in_currency(Currency::Usd, 2),
        total_hour: hour(lines.iter().map(Line::hour).sum()),
        expected_month: month(expected),
        max_month: month(highest),
        budget: env.budget,
        left_month: env.budget.map(|b| ((f64::from(b) - month(total)) * 100.0).round() / 100.0),
        rate: RATE,
        list_date: LIST_DATE,
        notes: Vec::new(),
    }
}

fn notes(env: &Environment, place: &Place, cost: &Cost) -> Vec<String> {
    let mut notes = Vec::new();
    if let Place::Hosts { .. } = place {
        notes.push("the servers of this place exist already: nothing is bought".to_owned());
        return notes;
    }
    if cost.max_month > cost.total_month {
        notes.push(format!(
            "expected: at `max` for {EXPECTED_HOURS} of a week's {WEEK_HOURS} hours, an assumption"
        ));
    }
    let beyond = transfer_beyond(env);
    if beyond > 0 {
        notes.push(format!(
            "limits.transfer allows {} beyond the {} TB included: it is in the most",
            format_bytes(beyond),
            pool_tb(env)
        ));
    }
    if let Some(budget) = env.budget.filter(|budget| cost.max_month > f64::from(*budget))
        && cost.total_month <= f64::from(budget)
    {
        notes.push(format!("grown to `max` it would be over the budget of {budget}"));
    }
    notes
}

/// Refuses what costs more than the environment's budget.
#[must_use]
pub fn check_budget(cost: &Cost) -> Option<Refusal> {
    let budget = cost.budget?;
    let Cost { env, currency, total_month, rate, .. } = cost;
    let over = total_month - f64::from(budget);
    (over > 0.0).then(|| Refusal {
        code: "budget",
        rule: format!("environments.{env}.budget"),
        message: format!(
            "`{env}` would cost {total_month:.2} {currency} a month, {over:.2} over its budget of {budget}"
        ),
        help: format!(
            "raise environments.{env}.budget, declare fewer or smaller machines, or accept it with \
             --accept budget=REASON (list prices, rate of {})",
            rate.date
        ),
    })
}
