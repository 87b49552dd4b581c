//! Cloud firewalls, their rules, and what they guard.

mod device;
mod rules;

pub(crate) use device::{forget, guard, guarding};

use super::account::tags;
use super::route::{Route, delete, get, list, post, put};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, TAGS, create, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::store::{Body, Key, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    list("/networking/firewalls", |state, call| {
        call.page(state.all(Kind::Firewall), |firewall| show(state, firewall))
    }),
    post("/networking/firewalls", add),
    get("/networking/firewalls/settings", |state, _| {
        let settings = state.get(Kind::FirewallSettings, 0, 0);
        settings.map(|s| plain(s)).ok_or_else(Errors::not_found)
    }),
    put("/networking/firewalls/settings", settings),
    get("/networking/firewalls/{id}", |state, call| Ok(show(state, &*find(state, call)?))),
    put("/networking/firewalls/{id}", change),
    delete("/networking/firewalls/{id}", remove),
    get("/networking/firewalls/{id}/rules", |state, call| {
        Ok(find(state, call)?.body.get("rules").cloned().unwrap_or_default())
    }),
    put("/networking/firewalls/{id}/rules", rules::change),
    list("/networking/firewalls/{id}/devices", device::all),
    post("/networking/firewalls/{id}/devices", device::add),
    get("/networking/firewalls/{id}/devices/{device}", device::view),
    delete("/networking/firewalls/{id}/devices/{device}", device::remove),
];

const LABEL: Rule = Rule::Label(3, 32, "-_.");
const FIREWALL: &[Field] = &[
    field("label", LABEL).required(),
    field("rules", Rule::Object).required().fixed(),
    field("devices", Rule::Object).fixed(),
    field("status", Rule::OneOf(&["enabled", "disabled"])),
    TAGS,
];

fn find(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    state.get(Kind::Firewall, 0, call.id(0)?).cloned().ok_or_else(Errors::not_found)
}

fn entity(firewall: &Record) -> Entity {
    Entity::of("firewall", "networking/firewalls", firewall)
}

fn show(state: &State, firewall: &Record) -> Value {
    let mut body = firewall.body.clone();
    let entities =
        state.of(Kind::Device, firewall.id).map(|d| device::show(state, d)["entity"].take());
    body.insert("entities".to_owned(), entities.collect());
    Value::Object(body)
}

fn label_is_free(state: &State, label: &str, but: u64) -> Result<(), Errors> {
    match state.named(Kind::Firewall, label) {
        Some(other) if other.id != but => {
            Err(Errors::field("label", "Label must be unique among your firewalls"))
        }
        _ => Ok(()),
    }
}

fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let given = create(FIREWALL, &call.body)?;
    label_is_free(tx, given.text("label").unwrap_or_default(), 0)?;
    let rules = rules::judge(given.object("rules").unwrap_or(&Body::new()), "rules.", 1)?;
    tags::note(tx, &given);
    let now = event::now();
    let mut body = Body::new();
    for (name, value) in [
        ("label", given.get("label").cloned().unwrap_or_default()),
        ("created", json!(now)),
        ("updated", json!(now)),
        ("status", json!("enabled")),
        ("rules", rules),
        ("tags", json!(given.list("tags"))),
        ("entities", json!([])),
    ] {
        body.insert(name.to_owned(), value);
    }
    let firewall = tx.insert(Kind::Firewall, 0, body, Body::new());
    for (field, kind) in [("linodes", "linode"), ("nodebalancers", "nodebalancer")] {
        let devices = given.object("devices").map(|d| d.list(field).to_vec()).unwrap_or_default();
        for id in devices {
            let id = id.as_u64().unwrap_or_default();
            guard(tx, firewall.id, kind, id, &format!("devices.{field}"))?;
        }
    }
    event::notify(tx, "firewall_create", &entity(&firewall));
    Ok(show(tx, &firewall))
}

fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let firewall = find(tx, call)?;
    let given = update(FIREWALL, &call.body)?;
    if let Some(label) = given.text("label") {
        label_is_free(tx, label, firewall.id)?;
    }
    tags::note(tx, &given);
    let action = match given.text("status") {
        Some("disabled") => "firewall_disable",
        Some("enabled") => "firewall_enable",
        _ => "firewall_update",
    };
    let changed = tx.change(Kind::Firewall, firewall.key(), |record| {
        record.body.extend(given);
        record.set("updated", event::now());
    });
    let changed = changed.ok_or_else(Errors::not_found)?;
    event::notify(tx, action, &entity(&changed));
    Ok(show(tx, &changed))
}

fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let firewall = find(tx, call)?;
    tx.delete_of(Kind::Device, firewall.id);
    tx.delete(Kind::Firewall, firewall.key());
    event::notify(tx, "firewall_delete", &entity(&firewall));
    Ok(json!({}))
}

/// Which firewall new things get that name none.
fn settings(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let given = call.body.object("default_firewall_ids").cloned().unwrap_or_default();
    for (name, id) in &given {
        if id.as_u64().is_some_and(|id| tx.get(Kind::Firewall, 0, id).is_none()) {
            let field = format!("default_firewall_ids.{name}");
            return Err(Errors::field(&field, "Firewall does not exist"));
        }
    }
    let changed = tx.change(Kind::FirewallSettings, Key { parent: 0, id: 0 }, |record| {
        if let Some(Value::Object(ids)) = record.body.get_mut("default_firewall_ids") {
            let known = given.into_iter().filter(|(name, _)| ids.contains_key(name));
            let known: Vec<_> = known.collect();
            ids.extend(known);
        }
    });
    changed.map(|settings| plain(&settings)).ok_or_else(Errors::not_found)
}
