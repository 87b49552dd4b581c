//! NodeBalancers, the VPCs they reach into, their ports and the nodes behind them.

mod config;
mod node;
mod vpc;

pub(crate) use config::ROUTES as CONFIG_ROUTES;
pub(crate) use node::before;
pub(crate) use vpc::in_subnet;

use super::account::tags;
use super::route::{Route, delete, get, list, post, put};
use super::{catalog, firewall, instance};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, TAGS, create, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::store::{Body, Key, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    list("/nodebalancers", |state, call| call.page(state.all(Kind::NodeBalancer), show)),
    post("/nodebalancers", add),
    get("/nodebalancers/{id}", |state, call| Ok(show(&*find(state, call)?))),
    put("/nodebalancers/{id}", change),
    delete("/nodebalancers/{id}", remove),
    list("/nodebalancers/{id}/firewalls", |state, call| {
        firewall::guarding(state, call, "nodebalancer", find(state, call)?.id)
    }),
    list("/nodebalancers/{id}/vpcs", |state, call| {
        let id = find(state, call)?.id;
        call.page(state.of(Kind::NodeBalancerVpc, id), plain)
    }),
    get("/nodebalancers/{id}/vpcs/{vpc}", |state, call| {
        let id = find(state, call)?.id;
        let vpc = state.get(Kind::NodeBalancerVpc, id, call.id(1)?);
        vpc.map(|vpc| plain(vpc)).ok_or_else(Errors::not_found)
    }),
];

/// Connections a second of one client address; 0 is no limit.
const THROTTLE: Rule = Rule::Integer(0, 20);
const NODEBALANCER: &[Field] = &[
    field("label", Rule::Label(3, 32, "-_")),
    field("region", Rule::Text(1, 64)).required().fixed(),
    field("client_conn_throttle", THROTTLE),
    field("client_udp_sess_throttle", THROTTLE),
    field("configs", Rule::List(&Rule::Object)).fixed(),
    field("firewall_id", Rule::Integer(-1, i64::MAX)).fixed(),
    field("type", Rule::OneOf(&["common"])).fixed(),
    field("vpcs", Rule::List(&Rule::Object)).fixed(),
    TAGS,
];

fn find(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    state.get(Kind::NodeBalancer, 0, call.id(0)?).cloned().ok_or_else(Errors::not_found)
}

fn entity(balancer: &Record) -> Entity {
    Entity::of("nodebalancer", "nodebalancers", balancer)
}

pub(crate) fn show(balancer: &Record) -> Value {
    plain(balancer)
}

fn label_is_free(state: &State, label: &str, but: u64) -> Result<(), Errors> {
    match state.named(Kind::NodeBalancer, label) {
        Some(other) if other.id != but => {
            Err(Errors::field("label", "Label must be unique among your NodeBalancers"))
        }
        _ => Ok(()),
    }
}

fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let given = create(NODEBALANCER, &call.body)?;
    let region = given.text("region").unwrap_or_default();
    if catalog::region(region).is_none() {
        return Err(Errors::field("region", "region is not valid"));
    }
    let id = tx.next_id();
    let label = given.text("label").map_or_else(|| format!("balancer{id}"), str::to_owned);
    label_is_free(tx, &label, 0)?;
    tags::note(tx, &given);
    let ipv4 = instance::balancer_address(tx, id);
    let now = event::now();
    let body = json!({
        "id": id,
        "label": label,
        "region": region,
        "type": "common",
        "hostname": format!("{}.{region}.nodebalancer.linode.com", ipv4.replace('.', "-")),
        "ipv4": ipv4,
        "ipv6": format!("2001:db8:1::{:x}:{:x}", (id >> 16) & 0xffff, id & 0xffff),
        "created": now,
        "updated": now,
        "client_conn_throttle": given.number("client_conn_throttle").unwrap_or(0),
        "client_udp_sess_throttle": given.number("client_udp_sess_throttle").unwrap_or(0),
        "lke_cluster": null,
        "locks": [],
        "tags": given.list("tags"),
        "transfer": {"in": 0.0, "out": 0.0, "total": 0.0},
    });
    let mut balancer = Record { id, ..Record::default() };
    if let Value::Object(body) = body {
        balancer.body = body;
    }
    let balancer = tx.put(Kind::NodeBalancer, balancer);
    vpc::attach(tx, &balancer, given.list("vpcs"))?;
    if let Some(firewall) = given.number("firewall_id").filter(|id| *id > 0) {
        firewall::guard(tx, firewall, "nodebalancer", id, "firewall_id")?;
    }
    for (number, wanted) in given.list("configs").iter().enumerate() {
        let wanted = wanted.as_object().cloned().unwrap_or_default();
        config::make(tx, &balancer, &wanted)
            .map_err(|errors| errors.within(&format!("configs[{number}].")))?;
    }
    event::notify(tx, "nodebalancer_create", &entity(&balancer));
    Ok(show(&balancer))
}

fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let balancer = find(tx, call)?;
    let given = update(NODEBALANCER, &call.body)?;
    if let Some(label) = given.text("label") {
        label_is_free(tx, label, balancer.id)?;
    }
    tags::note(tx, &given);
    let changed = tx.change(Kind::NodeBalancer, balancer.key(), |record| {
        record.body.extend(given);
        record.set("updated", event::now());
    });
    let changed = changed.ok_or_else(Errors::not_found)?;
    event::notify(tx, "nodebalancer_update", &entity(&changed));
    Ok(show(&changed))
}

fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let balancer = find(tx, call)?;
    firewall::forget(tx, "nodebalancer", balancer.id);
    let configs: Vec<Key> = tx.of(Kind::NodeBalancerConfig, balancer.id).map(|c| c.key()).collect();
    for config in configs {
        tx.delete_of(Kind::NodeBalancerNode, config.id);
    }
    for kind in [Kind::NodeBalancerConfig, Kind::NodeBalancerVpc, Kind::Ip] {
        tx.delete_of(kind, balancer.id);
    }
    tx.delete(Kind::NodeBalancer, balancer.key());
    event::notify(tx, "nodebalancer_delete", &entity(&balancer));
    Ok(json!({}))
}

/// Fields by name, for a new record.
fn body_of<const N: usize>(fields: [(&str, Value); N]) -> Body {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
