//! VPCs and their subnets.

pub(crate) mod range;
mod subnet;

use super::catalog;
use super::instance;
use super::nodebalancer;
use super::route::{Route, delete, get, list, post, put};
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::store::{Body, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    list("/vpcs", |state, call| call.page(state.all(Kind::Vpc), |vpc| show(state, vpc))),
    post("/vpcs", add),
    list("/vpcs/ips", |state, call| {
        call.page_of_values(instance::vpc_addresses(state, |_, i| i["purpose"] == "vpc"))
    }),
    get("/vpcs/{id}", |state, call| Ok(show(state, &*find(state, call)?))),
    put("/vpcs/{id}", change),
    delete("/vpcs/{id}", remove),
    list("/vpcs/{id}/ips", |state, call| {
        let id = find(state, call)?.id;
        call.page_of_values(instance::vpc_addresses(state, |_, i| i["vpc_id"] == id))
    }),
    list("/vpcs/{id}/subnets", |state, call| {
        let id = find(state, call)?.id;
        call.page(state.of(Kind::Subnet, id), |s| subnet::show(state, s))
    }),
    post("/vpcs/{id}/subnets", subnet::add),
    get("/vpcs/{id}/subnets/{subnet}", subnet::view),
    put("/vpcs/{id}/subnets/{subnet}", subnet::change),
    delete("/vpcs/{id}/subnets/{subnet}", subnet::remove),
];

/// Of VPCs and subnets: letters, digits and single dashes.
const LABEL: Rule = Rule::Label(1, 64, "-");
const VPC: &[Field] = &[
    field("label", LABEL).required(),
    field("description", Rule::Text(0, 255)),
    field("region", Rule::Text(1, 64)).required().fixed(),
    field("subnets", Rule::List(&Rule::Object)).fixed(),
];

fn find(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    state.get(Kind::Vpc, 0, call.id(0)?).cloned().ok_or_else(Errors::not_found)
}

fn entity(vpc: &Record) -> Entity {
    Entity::of("vpc", "vpcs", vpc)
}

fn show(state: &State, vpc: &Record) -> Value {
    let mut body = vpc.body.clone();
    let subnets = state.of(Kind::Subnet, vpc.id).map(|s| subnet::show(state, s));
    body.insert("subnets".to_owned(), subnets.collect());
    Value::Object(body)
}

fn label_is_free(state: &State, label: &str, but: u64) -> Result<(), Errors> {
    match state.named(Kind::Vpc, label) {
        Some(other) if other.id != but => {
            Err(Errors::field("label", "Label must be unique among your VPCs"))
        }
        _ => Ok(()),
    }
}

fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let mut given = create(VPC, &call.body)?;
    let region = catalog::region(given.text("region").unwrap_or_default());
    let region = region.ok_or_else(|| Errors::field("region", "region is not valid"))?;
    if !region.vpcs {
        return Err(Errors::field("region", "Region does not support VPCs"));
    }
    label_is_free(tx, given.text("label").unwrap_or_default(), 0)?;
    let subnets = given.remove("subnets").unwrap_or_default();
    let now = event::now();
    let mut body = Body::new();
    for (name, value) in [
        ("label", given.get("label").cloned().unwrap_or_default()),
        ("description", json!(given.text("description").unwrap_or_default())),
        ("region", json!(region.id)),
        ("ipv6", Value::Null),
        ("subnets", json!([])),
        ("vpc_type", json!("regular")),
        ("created", json!(now)),
        ("updated", json!(now)),
    ] {
        body.insert(name.to_owned(), value);
    }
    let vpc = tx.insert(Kind::Vpc, 0, body, Body::new());
    for (number, wanted) in subnets.as_array().into_iter().flatten().enumerate() {
        let wanted = wanted.as_object().cloned().unwrap_or_default();
        subnet::make(tx, &vpc, &wanted, &format!("subnets[{number}]."))?;
    }
    event::notify(tx, "vpc_create", &entity(&vpc));
    Ok(show(tx, &vpc))
}

fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let vpc = find(tx, call)?;
    let given = update(VPC, &call.body)?;
    if let Some(label) = given.text("label") {
        label_is_free(tx, label, vpc.id)?;
    }
    let changed = tx.change(Kind::Vpc, vpc.key(), |record| {
        record.body.extend(given);
        record.set("updated", event::now());
    });
    let changed = changed.ok_or_else(Errors::not_found)?;
    event::notify(tx, "vpc_update", &entity(&changed));
    Ok(show(tx, &changed))
}

fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let vpc = find(tx, call)?;
    let subnets: Vec<Arc<Record>> = tx.of(Kind::Subnet, vpc.id).cloned().collect();
    if subnets.iter().any(|s| subnet::in_use(tx, s.id)) {
        return Err(Errors::bad("VPC has subnets that are in use and cannot be deleted"));
    }
    tx.delete_of(Kind::Subnet, vpc.id);
    tx.delete(Kind::Vpc, vpc.key());
    event::notify(tx, "vpc_delete", &entity(&vpc));
    Ok(json!({}))
}
