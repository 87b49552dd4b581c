//! Placement groups: instances that must not share a host.

use super::catalog::{self, PLACEMENT_MEMBERS};
use super::route::{Route, delete, get, list, post, put};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::store::{Body, Key, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    list("/placement/groups", |state, call| call.page(state.all(Kind::PlacementGroup), plain)),
    post("/placement/groups", add),
    get("/placement/groups/{id}", |state, call| Ok(plain(&*find(state, call)?))),
    put("/placement/groups/{id}", change),
    delete("/placement/groups/{id}", remove),
    post("/placement/groups/{id}/assign", |tx, call| move_all(tx, call, true)),
    post("/placement/groups/{id}/unassign", |tx, call| move_all(tx, call, false)),
];

const GROUP: &[Field] = &[
    field("label", Rule::Label(1, 64, "-_.")).required(),
    field("region", Rule::Text(1, 64)).required().fixed(),
    field("placement_group_type", Rule::OneOf(&["anti_affinity:local"])).required().fixed(),
    field("placement_group_policy", Rule::OneOf(&["strict", "flexible"])).required().fixed(),
];
const LINODES: &[Field] = &[
    field("linodes", Rule::List(&Rule::Integer(1, i64::MAX))).required(),
    field("compliant_only", Rule::Boolean),
];

fn find(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    state.get(Kind::PlacementGroup, 0, call.id(0)?).cloned().ok_or_else(Errors::not_found)
}

fn entity(group: &Record) -> Entity {
    Entity::of("placement_group", "placement/groups", group)
}

fn label_is_free(state: &State, label: &str, but: u64) -> Result<(), Errors> {
    match state.named(Kind::PlacementGroup, label) {
        Some(other) if other.id != but => {
            Err(Errors::field("label", "Label must be unique among your placement groups"))
        }
        _ => Ok(()),
    }
}

fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let mut given = create(GROUP, &call.body)?;
    if catalog::region(given.text("region").unwrap_or_default()).is_none() {
        return Err(Errors::field("region", "region is not valid"));
    }
    label_is_free(tx, given.text("label").unwrap_or_default(), 0)?;
    given.insert("is_compliant".to_owned(), true.into());
    given.insert("members".to_owned(), json!([]));
    given.insert("migrations".to_owned(), json!({"inbound": [], "outbound": []}));
    let group = tx.insert(Kind::PlacementGroup, 0, given, Body::new());
    event::notify(tx, "placement_group_create", &entity(&group));
    Ok(plain(&group))
}

fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let group = find(tx, call)?;
    let given = update(GROUP, &call.body)?;
    if let Some(label) = given.text("label") {
        label_is_free(tx, label, group.id)?;
    }
    let changed = tx.change(Kind::PlacementGroup, group.key(), |record| record.body.extend(given));
    let changed = changed.ok_or_else(Errors::not_found)?;
    for id in members(&changed) {
        show_in_instance(tx, id, Some(&changed));
    }
    event::notify(tx, "placement_group_update", &entity(&changed));
    Ok(plain(&changed))
}

fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let group = find(tx, call)?;
    if !members(&group).is_empty() {
        return Err(Errors::bad("Placement group has Linodes and cannot be deleted"));
    }
    tx.delete(Kind::PlacementGroup, group.key());
    event::notify(tx, "placement_group_delete", &entity(&group));
    Ok(json!({}))
}

fn members(group: &Record) -> Vec<u64> {
    group.body.list("members").iter().filter_map(|m| m["linode_id"].as_u64()).collect()
}

fn move_all(tx: &mut Tx<'_>, call: &Call, into: bool) -> Result<Value, Errors> {
    let group = find(tx, call)?;
    let given = create(LINODES, &call.body)?;
    for id in given.list("linodes").iter().filter_map(Value::as_u64) {
        if into {
            assign(tx, group.id, id, "linodes")?;
        } else if members(&*find(tx, call)?).contains(&id) {
            unassign(tx, group.id, id);
        } else {
            return Err(Errors::field("linodes", format!("{id} is not in the placement group")));
        }
    }
    let action = if into { "placement_group_assign" } else { "placement_group_unassign" };
    event::notify(tx, action, &entity(&group));
    Ok(plain(&*find(tx, call)?))
}

/// Puts an instance into a group. `field` is what an error is about.
pub(crate) fn assign(
    tx: &mut Tx<'_>,
    group: u64,
    instance: u64,
    field: &str,
) -> Result<(), Errors> {
    let group = tx.get(Kind::PlacementGroup, 0, group).cloned();
    let group = group.ok_or_else(|| Errors::field(field, "Placement group does not exist"))?;
    let found = tx.get(Kind::Instance, 0, instance).cloned();
    let found =
        found.ok_or_else(|| Errors::field(field, format!("Invalid Linode ID {instance}")))?;
    let reason = if found.text("region") != group.text("region") {
        Some("Linode and placement group must be in the same region".to_owned())
    } else if !found.body.get("placement_group").is_none_or(Value::is_null) {
        Some(format!("Linode {instance} is in a placement group already"))
    } else if members(&group).len() >= PLACEMENT_MEMBERS {
        Some(format!("A placement group has at most {PLACEMENT_MEMBERS} Linodes"))
    } else {
        None
    };
    if let Some(reason) = reason {
        return Err(Errors::field(field, reason));
    }
    let changed = tx.change(Kind::PlacementGroup, group.key(), |record| {
        if let Some(Value::Array(members)) = record.body.get_mut("members") {
            members.push(json!({"linode_id": instance, "is_compliant": true}));
        }
    });
    show_in_instance(tx, instance, changed.as_deref());
    Ok(())
}

fn unassign(tx: &mut Tx<'_>, group: u64, instance: u64) {
    tx.change(Kind::PlacementGroup, Key { parent: 0, id: group }, |record| {
        if let Some(Value::Array(members)) = record.body.get_mut("members") {
            members.retain(|m| m["linode_id"] != instance);
        }
    });
    show_in_instance(tx, instance, None);
}

/// An instance that is deleted leaves its group.
pub(crate) fn forget(tx: &mut Tx<'_>, instance: u64) {
    let group = tx.get(Kind::Instance, 0, instance);
    let group = group.and_then(|i| i.body["placement_group"]["id"].as_u64());
    if let Some(group) = group {
        unassign(tx, group, instance);
    }
}

fn show_in_instance(tx: &mut Tx<'_>, instance: u64, group: Option<&Record>) {
    let shown = group.map(|group| {
        json!({
            "id": group.id,
            "label": group.text("label"),
            "placement_group_type": group.text("placement_group_type"),
            "placement_group_policy": group.text("placement_group_policy"),
            "migrating_to": null,
        })
    });
    tx.change(Kind::Instance, Key { parent: 0, id: instance }, |record| {
        record.set("placement_group", shown.unwrap_or_default());
    });
}
