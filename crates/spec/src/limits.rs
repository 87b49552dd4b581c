//! Quotas of an environment: machines and storage, as declared and as planned.

use crate::model::{Environment, Group};
use crate::units::format_bytes;
use serde::Serialize;
use std::collections::BTreeMap;

/// Why something will not be done; serializes as the contract's `refusals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// `quota` or `budget`; kebab-case, stable.
    pub code: &'static str,
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

/// Bytes that the file systems of so many machines take; groups the environment does not have take
/// none.
#[must_use]
pub fn storage_bytes(env: &Environment, machines: &BTreeMap<Group, u32>) -> u64 {
    let of = |group: &Group, count: &u32| {
        env.groups.get(group).map_or(0, |spec| spec.disk_bytes.saturating_mul(u64::from(*count)))
    };
    machines.iter().map(|(group, count)| of(group, count)).fold(0, u64::saturating_add)
}

/// Judges a planned number of machines in each group (for example [`counts`], or the controller's
/// wish) against the environment's limits and each group's `max`. Empty when it may be done.
#[must_use]
pub fn check_limits(env: &Environment, planned: &BTreeMap<Group, u32>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut refuse = |message: String, help: String| {
        refusals.push(Refusal { code: "quota", message, help });
    };
    let place = format!("environments.{}", env.name);
    for (group, count) in planned {
        let max = env.groups.get(group).map_or(0, |spec| spec.max);
        if *count > max {
            refuse(
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
            format!("{machines} machines are more than the limit of {limit} of `{}`", env.name),
            format!("raise {place}.limits.machines or plan fewer"),
        );
    }
    let bytes = storage_bytes(env, planned);
    if let Some(limit) = env.limits.storage_bytes.filter(|limit| bytes > *limit) {
        let (bytes, limit) = (format_bytes(bytes), format_bytes(limit));
        refuse(
            format!("disks of {bytes} are more than the limit of {limit} of `{}`", env.name),
            format!("raise {place}.limits.storage, or set a smaller `disk` in its groups"),
        );
    }
    refusals
}
