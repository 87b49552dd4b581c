//! Quotas of an environment, as declared and as planned. Each refusal names the rule that refused.

use crate::model::{Currency, Environment, Group, Place, Size, Spec};
use crate::price;
use crate::units::{GB, TB, format_bandwidth, format_bytes};
use serde::Serialize;
use std::collections::BTreeMap;

/// Why something will not be done; serializes as the contract's `refusals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// `quota` or `budget`; kebab-case, stable.
    pub code: &'static str,
    /// The key of andamio.toml that refused; empty where it is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rule: String,
    pub message: String,
    pub help: String,
}

/// Machines of each group as declared.
#[must_use]
pub fn counts(env: &Environment) -> BTreeMap<Group, u32> {
    env.groups.iter().map(|(group, spec)| (*group, spec.machines)).collect()
}

/// Machines of each group when all have grown to their `max`.
#[must_use]
pub(crate) fn most_counts(env: &Environment) -> BTreeMap<Group, u32> {
    env.groups.iter().map(|(group, spec)| (*group, spec.max)).collect()
}

/// Machines of each group when all have grown as far as `max` and the limit of machines let them.
#[must_use]
pub fn growable(env: &Environment) -> BTreeMap<Group, u32> {
    let mut counts = counts(env);
    let declared: u32 = counts.values().sum();
    let mut room = env.limits.machines.map_or(u32::MAX, |limit| limit.saturating_sub(declared));
    for (group, spec) in &env.groups {
        let more = spec.max.saturating_sub(spec.machines).min(room);
        room -= more;
        counts.entry(*group).and_modify(|count| *count += more);
    }
    counts
}

/// Bytes that the file systems of so many machines take; groups the environment does not have take
/// none.
#[must_use]
pub fn storage_bytes(env: &Environment, machines: &BTreeMap<Group, u32>) -> u64 {
    let of = |group: &Group, count: &u32| {
        env.groups.get(group).map_or(0, |spec| spec.disk_bytes.saturating_mul(u64::from(*count)))
    };
    machines.iter().map(|(group, count)| of(group, count)).fold(0, u64::saturating_add)
}

/// Bits a second that the machines where requests enter can send: the balancers, else the
/// application's. `None` where there are none, or no type is known for them.
#[must_use]
pub(crate) fn entry_bits_per_s(env: &Environment) -> Option<u64> {
    let group = [Group::Balancer, Group::App].into_iter().find(|g| env.groups.contains_key(g))?;
    let spec = env.groups.get(&group)?;
    let row = price::machine_type(price::MACHINE_TYPES, spec.size, 0)?;
    Some(u64::from(row.network_mbit) * 1_000_000 * u64::from(spec.machines))
}

/// Judges a planned number of machines in each group (for example [`counts`], or the controller's
/// wish) against the environment's limits and each group's `max`. Empty when it may be done.
#[must_use]
pub fn check_limits(env: &Environment, planned: &BTreeMap<Group, u32>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let place = format!("environments.{}", env.name);
    let mut refuse = |key: &str, message: String, help: String| {
        let rule = format!("{place}.{key}");
        refusals.push(Refusal { code: "quota", rule, message, help });
    };
    for (group, count) in planned {
        let max = env.groups.get(group).map_or(0, |spec| spec.max);
        if *count > max {
            refuse(
                &format!("{group}.max"),
                format!(
                    "{count} {group} machines are more than the {max} that `{}` may have",
                    env.name
                ),
                format!("raise `max` in {place}.{group}"),
            );
        }
    }
    let machines: u32 = planned.values().fold(0, |sum, count| sum.saturating_add(*count));
    if let Some(limit) = env.limits.machines.filter(|limit| machines > *limit) {
        refuse(
            "limits.machines",
            format!("{machines} machines are more than the limit of {limit} of `{}`", env.name),
            format!("raise {place}.limits.machines or plan fewer"),
        );
    }
    if let Some((group, message)) = too_large(env) {
        let help = format!("raise {place}.limits.size or plan a smaller {group}");
        refuse("limits.size", message, help);
    }
    let bytes = storage_bytes(env, planned);
    if let Some(limit) = env.limits.storage_bytes.filter(|limit| bytes > *limit) {
        let (bytes, limit) = (format_bytes(bytes), format_bytes(limit));
        refuse(
            "limits.storage",
            format!("disks of {bytes} are more than the limit of {limit} of `{}`", env.name),
            format!("raise {place}.limits.storage, or set a smaller `disk` in its groups"),
        );
    }
    refusals
}

/// What a place of kind `linode` cannot make: machines that are on no price list.
#[must_use]
pub fn check_types(spec: &Spec, env: &Environment, place: &str) -> Vec<Refusal> {
    if !matches!(spec.places.get(place), Some(Place::Linode { .. })) {
        return Vec::new();
    }
    let unsold = |(group, declared): (&Group, &_)| {
        let error = price::type_of(*group, declared, price::MACHINE_TYPES).err()?;
        Some(Refusal {
            code: "quota",
            rule: format!("environments.{}.{group}.size", env.name),
            message: error.to_string(),
            help: format!("the largest is {}", price::largest()),
        })
    };
    env.groups.iter().filter_map(unsold).collect()
}

/// The first group whose machines are larger than one machine may be.
pub(crate) fn too_large(env: &Environment) -> Option<(Group, String)> {
    let limit = env.limits.size?;
    let larger = |size: Size| size.vcpu > limit.vcpu || size.memory_bytes > limit.memory_bytes;
    let (group, spec) = env.groups.iter().find(|(_, spec)| larger(spec.size))?;
    let message = format!(
        "{group} machines of {} are larger than {limit}, the limit of one machine",
        spec.size
    );
    Some((*group, message))
}

/// A limit of bandwidth that the machines cannot reach holds nobody back.
pub(crate) fn never_reached(env: &Environment) -> Option<String> {
    let limit = env.limits.bandwidth_bits_per_s?;
    let most = entry_bits_per_s(env).filter(|most| limit > *most)?;
    Some(format!(
        "a limit of {} is more than the {} that the machines where requests enter can send",
        format_bandwidth(limit),
        format_bandwidth(most)
    ))
}

/// What the limits allow of traffic, against what bought machines can send and what that costs. Not for
/// servers that exist already: nobody here knows their network.
#[must_use]
pub fn check_traffic(env: &Environment, currency: Currency) -> Vec<Refusal> {
    let place = format!("environments.{}", env.name);
    let refusal = |key: &str, message: String, help: String| Refusal {
        code: "quota",
        rule: format!("{place}.limits.{key}"),
        message,
        help,
    };
    let bandwidth = never_reached(env).map(|message| {
        let help = format!("lower {place}.limits.bandwidth, or leave it out");
        refusal("bandwidth", message, help)
    });
    let transfer = transfer_over_budget(env, currency).map(|message| {
        let help = format!("lower {place}.limits.transfer or raise {place}.budget");
        refusal("transfer", message, help)
    });
    bandwidth.into_iter().chain(transfer).collect()
}

/// All the traffic that is allowed has to fit the budget too.
pub(crate) fn transfer_over_budget(env: &Environment, currency: Currency) -> Option<String> {
    let (limit, budget) = (env.limits.transfer_bytes?, f64::from(env.budget?));
    let beyond = price::transfer_beyond(env);
    let extra = price::TRANSFER_GB.times(beyond.div_ceil(GB)).in_currency(currency, 2);
    let month = price::cost_of(env, currency, &counts(env)).ok()?.total_month;
    (beyond > 0 && month <= budget && month + extra > budget).then(|| {
        format!(
            "sending {} a month costs {extra:.2} {currency} beyond the {} included: with the {month:.2} \
             of the machines that is over the budget of {budget}",
            format_bytes(limit),
            format_bytes(price::pool_tb(env) * TB)
        )
    })
}
