//! What a `terraform.tfvars` that is there declares, for the price of it.

use super::literal::{self, Value};
use andamio_spec::Group;
use andamio_spec::price::{Bought, MachineType, Prices};
use std::collections::BTreeMap;

/// The machines that a file declares, and its region; `None` where it is no such file, or has a group or
/// type that is not known here.
#[must_use]
pub fn bought(text: &str) -> Option<(Vec<Bought>, String)> {
    let mut values = literal::parse(text)?;
    let Some(Value::Text(region)) = values.remove("region") else { return None };
    let Some(Value::Object(groups)) = values.remove("groups") else { return None };
    let types = Prices::recorded(&region).machines;
    let bought = groups.iter().map(|(name, group)| one(name, group, &types));
    Some((bought.collect::<Option<_>>()?, region))
}

fn one(name: &str, group: &Value, types: &[MachineType]) -> Option<Bought> {
    let Value::Object(group) = group else { return None };
    let Some(Value::Text(kind)) = group.get("type") else { return None };
    Some(Bought {
        group: Group::from_name(name)?,
        machine: types.iter().find(|row| row.id == *kind)?.clone(),
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
