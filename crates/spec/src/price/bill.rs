//! From machines to money: items, least, expected and most, and the budget.

use super::bought::{Bought, bought, pool_tb, transfer_beyond};
use super::{Price, Prices, RATE, Rate, Source, Usd, list};
use crate::limits::{Refusal, counts, growable};
use crate::model::{Currency, Environment, Group, Place, Size, Spec};
use crate::units::{GB, format_bytes};
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
    pub prices: Source,
    /// When the prices were recorded.
    pub list_date: String,
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

/// Cost of the declared machines of an environment at a place, by the recorded list.
///
/// # Errors
/// The environment or place does not exist, or a size is not on the list.
pub fn cost_at(spec: &Spec, env: &str, place: &str) -> Result<Cost, CostError> {
    cost_by(spec, env, place, &|region| Prices::recorded(region))
}

/// The same, with what things cost in a region; that is `""` where the place has none. Servers that
/// exist already cost what they cost: nothing is bought for them.
///
/// # Errors
/// The environment or place does not exist, or a size is not sold.
pub fn cost_by(
    spec: &Spec,
    env: &str,
    place: &str,
    prices: &dyn Fn(&str) -> Prices,
) -> Result<Cost, CostError> {
    let env = find(spec, env)?;
    let kind = spec.places.get(place).ok_or_else(|| CostError::UnknownPlace(place.to_owned()))?;
    let region = match kind {
        Place::Linode { region, .. } => region.as_str(),
        Place::Hosts { .. } | Place::Local => "",
    };
    let prices = prices(region);
    let (lines, most) = match kind {
        Place::Hosts { .. } => (Vec::new(), Vec::new()),
        Place::Local | Place::Linode { .. } => {
            (lines(&bought(env, &counts(env), &prices.machines)?, &prices), most(env, &prices)?)
        }
    };
    let mut cost = bill(env, place, spec.project.currency, &lines, &most);
    region.clone_into(&mut cost.region);
    cost.prices = prices.source;
    cost.list_date = prices.date.into_owned();
    cost.notes = notes(env, kind, &cost);
    if prices.source == Source::Live && !cost.items.is_empty() {
        let recorded = cost_at(spec, &env.name, place)?.total_month;
        cost.notes.push(format!(
            "by the recorded list of {}, which `plan` and `up` go by, it is {recorded:.2}",
            list::LIST_DATE
        ));
    }
    Ok(cost)
}

/// Cost of so many machines in each group of the environment, by the recorded list.
///
/// # Errors
/// A size is not on the list.
pub fn cost_of(
    env: &Environment,
    currency: Currency,
    machines: &BTreeMap<Group, u32>,
) -> Result<Cost, CostError> {
    let prices = Prices::recorded("");
    let lines = lines(&bought(env, machines, &prices.machines)?, &prices);
    Ok(bill(env, &env.on, currency, &lines, &most(env, &prices)?))
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

/// Money a month for what is bought.
#[must_use]
pub fn month_of(bought: &[Bought], prices: &Prices, currency: Currency) -> f64 {
    lines(bought, prices).iter().map(Line::month).sum::<Usd>().in_currency(currency, 2)
}

fn lines(bought: &[Bought], prices: &Prices) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |name: String, kind: String, count: u32, each: Price| {
        lines.push(Line { name, kind, count, each });
    };
    for Bought { group, machine, count, volume_gb, backups } in bought {
        let each = Price { month: machine.month, hour: machine.hour };
        add(group.to_string(), machine.id.to_string(), *count, each);
        if *volume_gb > 0 {
            let each = prices.volume_gb.times(u64::from(*volume_gb));
            add(format!("{group}-volumes"), format!("volume-{volume_gb}gb"), *count, each);
        }
        if *backups {
            add(format!("{group}-backups"), "backups".to_owned(), *count, machine.backups);
        }
    }
    let has = |group: Group| bought.iter().any(|b| b.group == group && b.count > 0);
    // It stands before the same HAProxy machines, however many there are.
    if has(Group::Balancer) {
        add("nodebalancer".to_owned(), "nodebalancer".to_owned(), 1, prices.nodebalancer);
    }
    if has(Group::Mariadb) {
        add("backup-storage".to_owned(), "object-storage".to_owned(), 1, prices.object_storage);
    }
    lines
}

/// The bill with every group grown as far as it may, and with all the traffic that is allowed.
fn most(env: &Environment, prices: &Prices) -> Result<Vec<Line>, CostError> {
    let mut lines = lines(&bought(env, &growable(env), &prices.machines)?, prices);
    let beyond_gb = transfer_beyond(env).div_ceil(GB);
    if beyond_gb > 0 {
        let each = Price { month: prices.transfer_gb.times(beyond_gb), hour: Usd::default() };
        let kind = format!("{beyond_gb} GB");
        lines.push(Line { name: "transfer".to_owned(), kind, count: 1, each });
    }
    Ok(lines)
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
        prices: Source::Recorded,
        list_date: list::LIST_DATE.to_owned(),
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
