//! What a `terraform.tfvars` that is there declares, for the price of it.

use super::literal::{self, Value};
use andamio_spec::Group;
use andamio_spec::price::{Bought, MACHINE_TYPES};
use std::collections::BTreeMap;

/// The machines that a file declares, and its region; `None` where it is no such file, or has a group or
/// type that is not known here.
#[must_use]
pub fn bought(text: &str) -> Option<(Vec<Bought>, String)> {
    let mut values = literal::parse(text)?;
    let Some(Value::Text(region)) = values.remove("region") else { return None };
    let Some(Value::Object(groups)) = values.remove("groups") else { return None };
    Some((groups.iter().map(one).collect::<Option<_>>()?, region))
}

fn one((name, group): (&String, &Value)) -> Option<Bought> {
    let Value::Object(group) = group else { return None };
    let Some(Value::Text(kind)) = group.get("type") else { return None };
    Some(Bought {
        group: Group::from_name(name)?,
        machine: MACHINE_TYPES.iter().find(|row| row.id == kind)?,
        count: number(group, "machines")?,
        volume_gb: number(group, "volume_gb").unwrap_or_default(),
        backups: group.get("backups") == Some(&Value::Bool(true)),
    })
}

/// A whole number that is not below zero.
fn number(group: &BTreeMap<String, Value>, name: &str) -> Option<u32> {
    let Some(Value::Number(number)) = group.get(name) else { return None };
    let whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number);
    whole.then_some(*number as u32)
}
