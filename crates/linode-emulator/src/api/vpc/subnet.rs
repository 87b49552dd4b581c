//! Subnets of a VPC, with whoever has an interface in them.

use super::range::Range;
use super::{LABEL, entity, find, instance, nodebalancer};
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event;
use crate::store::{Body, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const SUBNET: &[Field] =
    &[field("label", LABEL).required(), field("ipv4", Rule::Text(1, 32)).required().fixed()];

fn of(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    let vpc = find(state, call)?;
    state.get(Kind::Subnet, vpc.id, call.id(1)?).cloned().ok_or_else(Errors::not_found)
}

pub(super) fn show(state: &State, subnet: &Record) -> Value {
    let mut linodes: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for (config, interface) in instance::in_subnet(state, subnet.id) {
        let active = state.get(Kind::Instance, 0, config.parent).is_some_and(|i| {
            i.text("status") == "running" && i.hidden_number("booted_config") == config.id
        });
        let shown = json!({"id": interface["id"], "config_id": config.id, "active": active});
        linodes.entry(config.parent).or_default().push(shown);
    }
    let linodes = linodes.into_iter().map(|(id, i)| json!({"id": id, "interfaces": i}));
    let mut body = subnet.body.clone();
    body.insert("linodes".to_owned(), linodes.collect());
    body.insert("nodebalancers".to_owned(), nodebalancer::in_subnet(state, subnet.id));
    Value::Object(body)
}

pub(super) fn in_use(state: &State, subnet: u64) -> bool {
    instance::in_subnet(state, subnet).next().is_some()
        || nodebalancer::in_subnet(state, subnet) != json!([])
}

pub(super) fn view(state: &State, call: &Call) -> Result<Value, Errors> {
    Ok(show(state, &*of(state, call)?))
}

/// `at` stands before the names of fields in errors.
pub(super) fn make(
    tx: &mut Tx<'_>,
    vpc: &Record,
    wanted: &Body,
    at: &str,
) -> Result<Arc<Record>, Errors> {
    let given = create(SUBNET, wanted).map_err(|errors| errors.within(at))?;
    let (label, ipv4) =
        (given.text("label").unwrap_or_default(), given.text("ipv4").unwrap_or_default());
    let range = ipv4.parse::<Range>().ok().filter(|range| range.may_be_subnet());
    let range = range.ok_or_else(|| {
        let reason =
            "Must be an IPv4 network in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/17 of /29 or more";
        Errors::field(&format!("{at}ipv4"), reason)
    })?;
    for other in tx.of(Kind::Subnet, vpc.id) {
        if other.text("label").eq_ignore_ascii_case(label) {
            let reason = "Label must be unique among the VPC's subnets";
            return Err(Errors::field(&format!("{at}label"), reason));
        }
        if other.text("ipv4").parse().is_ok_and(|theirs| range.overlaps(theirs)) {
            let reason = format!("Overlaps with subnet {}", other.text("label"));
            return Err(Errors::field(&format!("{at}ipv4"), reason));
        }
    }
    let now = event::now();
    let mut body = Body::new();
    for (name, value) in [
        ("label", json!(label)),
        ("ipv4", json!(ipv4)),
        ("ipv6", Value::Null),
        ("linodes", json!([])),
        ("databases", json!([])),
        ("nodebalancers", json!([])),
        ("created", json!(now)),
        ("updated", json!(now)),
    ] {
        body.insert(name.to_owned(), value);
    }
    Ok(tx.insert(Kind::Subnet, vpc.id, body, Body::new()))
}

pub(super) fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let vpc = find(tx, call)?;
    let subnet = make(tx, &vpc, &call.body, "")?;
    event::notify(tx, "subnet_create", &entity(&vpc));
    Ok(show(tx, &subnet))
}

pub(super) fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let vpc = find(tx, call)?;
    let subnet = of(tx, call)?;
    let given = update(SUBNET, &call.body)?;
    if let Some(label) = given.text("label") {
        let mut others = tx.of(Kind::Subnet, vpc.id).filter(|s| s.id != subnet.id);
        if others.any(|s| s.text("label").eq_ignore_ascii_case(label)) {
            return Err(Errors::field("label", "Label must be unique among the VPC's subnets"));
        }
    }
    let changed = tx.change(Kind::Subnet, subnet.key(), |record| {
        record.body.extend(given);
        record.set("updated", event::now());
    });
    event::notify(tx, "subnet_update", &entity(&vpc));
    changed.map(|subnet| show(tx, &subnet)).ok_or_else(Errors::not_found)
}

pub(super) fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (vpc, subnet) = (find(tx, call)?, of(tx, call)?);
    if in_use(tx, subnet.id) {
        return Err(Errors::bad("Subnet is in use and cannot be deleted"));
    }
    tx.delete(Kind::Subnet, subnet.key());
    event::notify(tx, "subnet_delete", &entity(&vpc));
    Ok(json!({}))
}
