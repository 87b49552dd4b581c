//! What a firewall guards: instances and NodeBalancers, each by one firewall at most.

use super::{entity, find};
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field};
use crate::error::Errors;
use crate::event;
use crate::store::{Body, Key, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

const DEVICE: &[Field] = &[
    field("id", Rule::Integer(1, i64::MAX)).required(),
    field("type", Rule::OneOf(&["linode", "nodebalancer"])).required(),
];

fn guarded(state: &State, kind: &str, id: u64) -> Option<Arc<Record>> {
    let table = if kind == "linode" { Kind::Instance } else { Kind::NodeBalancer };
    state.get(table, 0, id).cloned()
}

pub(super) fn show(state: &State, device: &Record) -> Value {
    let mut body = device.body.clone();
    let (kind, id) = (device.hidden.text("kind").unwrap_or_default(), device.hidden_number("of"));
    let label = guarded(state, kind, id).map(|g| g.text("label").to_owned());
    let path = if kind == "linode" { "linode/instances" } else { "nodebalancers" };
    let url = format!("/v4/{path}/{id}");
    let entity = json!({"id": id, "type": kind, "label": label, "url": url, "parent_entity": null});
    body.insert("entity".to_owned(), entity);
    Value::Object(body)
}

fn is_of(device: &Record, kind: &str, id: u64) -> bool {
    device.hidden.text("kind") == Some(kind) && device.hidden_number("of") == id
}

/// Puts something behind a firewall. `field` is what an error is about.
pub(crate) fn guard(
    tx: &mut Tx<'_>,
    firewall: u64,
    kind: &str,
    id: u64,
    field: &str,
) -> Result<Arc<Record>, Errors> {
    if tx.get(Kind::Firewall, 0, firewall).is_none() {
        return Err(Errors::field(field, "Firewall does not exist"));
    }
    if guarded(tx, kind, id).is_none() {
        return Err(Errors::field(field, format!("{id} is not a valid {kind}")));
    }
    if tx.of(Kind::Device, firewall).any(|d| is_of(d, kind, id)) {
        return Err(Errors::field(field, "Device is assigned to this firewall already"));
    }
    if tx.all(Kind::Device).any(|d| is_of(d, kind, id)) {
        return Err(Errors::field(field, "Device is assigned to another firewall"));
    }
    let now = event::now();
    let mut body = Body::new();
    body.insert("created".to_owned(), now.clone().into());
    body.insert("updated".to_owned(), now.into());
    let mut hidden = Body::new();
    hidden.insert("kind".to_owned(), kind.into());
    hidden.insert("of".to_owned(), id.into());
    Ok(tx.insert(Kind::Device, firewall, body, hidden))
}

/// Takes something that is deleted from behind its firewalls.
pub(crate) fn forget(tx: &mut Tx<'_>, kind: &str, id: u64) {
    let keys: Vec<Key> =
        tx.all(Kind::Device).filter(|d| is_of(d, kind, id)).map(|d| d.key()).collect();
    for key in keys {
        tx.delete(Kind::Device, key);
    }
}

/// The firewalls before something.
pub(crate) fn guarding(state: &State, call: &Call, kind: &str, id: u64) -> Result<Value, Errors> {
    let devices = state.all(Kind::Device).filter(|d| is_of(d, kind, id));
    let firewalls: Vec<_> =
        devices.filter_map(|d| state.get(Kind::Firewall, 0, d.parent)).collect();
    call.page(firewalls.into_iter(), |firewall| super::show(state, firewall))
}

pub(super) fn all(state: &State, call: &Call) -> Result<Value, Errors> {
    let firewall = find(state, call)?.id;
    call.page_of_values(state.of(Kind::Device, firewall).map(|d| show(state, d)))
}

fn of(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    let firewall = find(state, call)?;
    state.get(Kind::Device, firewall.id, call.id(1)?).cloned().ok_or_else(Errors::not_found)
}

pub(super) fn view(state: &State, call: &Call) -> Result<Value, Errors> {
    Ok(show(state, &*of(state, call)?))
}

pub(super) fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let firewall = find(tx, call)?;
    let given = create(DEVICE, &call.body)?;
    let kind = given.text("type").unwrap_or_default();
    let device = guard(tx, firewall.id, kind, given.number("id").unwrap_or_default(), "id")?;
    event::notify(tx, "firewall_device_add", &entity(&firewall));
    Ok(show(tx, &device))
}

pub(super) fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (firewall, device) = (find(tx, call)?, of(tx, call)?);
    tx.delete(Kind::Device, device.key());
    event::notify(tx, "firewall_device_remove", &entity(&firewall));
    Ok(json!({}))
}
