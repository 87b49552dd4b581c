//! Nodes behind a port.

use super::{body_of, config, entity, find};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event;
use crate::store::{Body, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

const NODE: &[Field] = &[
    field("label", Rule::Label(3, 32, "-_.")).required(),
    field("address", Rule::Text(1, 64)).required(),
    field("weight", Rule::Integer(1, 255)),
    field("mode", Rule::OneOf(&["accept", "reject", "drain", "backup"])),
    field("subnet_id", Rule::Integer(0, i64::MAX)),
];
/// Linode's private network, where nodes without a VPC are.
const PRIVATE: (Ipv4Addr, u32) = (Ipv4Addr::new(192, 168, 128, 0), 17);

pub(super) fn make_all(
    tx: &mut Tx<'_>,
    balancer: &Record,
    config: &Record,
    nodes: &Value,
) -> Result<(), Errors> {
    for (number, wanted) in nodes.as_array().into_iter().flatten().enumerate() {
        let wanted = wanted.as_object().cloned().unwrap_or_default();
        let made = make(tx, balancer, config, &wanted);
        made.map_err(|errors| errors.within(&format!("nodes[{number}].")))?;
    }
    Ok(())
}

fn make(
    tx: &mut Tx<'_>,
    balancer: &Record,
    config: &Record,
    wanted: &Body,
) -> Result<Arc<Record>, Errors> {
    let given = create(NODE, wanted)?;
    let vpc = judge(tx, balancer, &given)?;
    let body = body_of([
        ("address", given.get("address").cloned().unwrap_or_default()),
        ("label", given.get("label").cloned().unwrap_or_default()),
        ("status", json!("Unknown")),
        ("weight", json!(given.number("weight").unwrap_or(100))),
        ("mode", json!(given.text("mode").unwrap_or("accept"))),
        ("config_id", json!(config.id)),
        ("nodebalancer_id", json!(balancer.id)),
        ("vpc_config_id", json!(vpc)),
    ]);
    Ok(tx.insert(Kind::NodeBalancerNode, config.id, body, Body::new()))
}

/// Where the node is: behind which of the balancer's VPCs, or in the private network.
fn judge(state: &State, balancer: &Record, given: &Body) -> Result<Option<u64>, Errors> {
    let text = given.text("address").unwrap_or_default();
    let address: SocketAddrV4 = text.parse().map_err(|_| {
        Errors::field("address", "Must be an IPv4 address and a port: 192.168.128.1:80")
    })?;
    if let Some(subnet) = given.number("subnet_id").filter(|id| *id > 0) {
        let mut vpcs = state.of(Kind::NodeBalancerVpc, balancer.id);
        let vpc = vpcs.find(|v| v.number("subnet_id") == subnet);
        let reason = "The NodeBalancer does not reach into this subnet";
        return vpc.map(|v| Some(v.id)).ok_or_else(|| Errors::field("subnet_id", reason));
    }
    let (base, prefix) = PRIVATE;
    if address.ip().to_bits() >> (32 - prefix) != base.to_bits() >> (32 - prefix) {
        let reason =
            "Must begin with 192.168: a private address, or one of a subnet with subnet_id";
        return Err(Errors::field("address", reason));
    }
    Ok(None)
}

fn of(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    let config = config::of(state, call)?;
    let node = state.get(Kind::NodeBalancerNode, config.id, call.id(2)?);
    node.cloned().ok_or_else(Errors::not_found)
}

pub(super) fn all(state: &State, call: &Call) -> Result<Value, Errors> {
    let config = config::of(state, call)?.id;
    call.page(state.of(Kind::NodeBalancerNode, config), plain)
}

pub(super) fn view(state: &State, call: &Call) -> Result<Value, Errors> {
    Ok(plain(&*of(state, call)?))
}

pub(super) fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (balancer, config) = (find(tx, call)?, config::of(tx, call)?);
    let node = make(tx, &balancer, &config, &call.body)?;
    event::notify(tx, "nodebalancer_node_create", &entity(&balancer));
    Ok(plain(&node))
}

pub(super) fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (balancer, node) = (find(tx, call)?, of(tx, call)?);
    let mut given = update(NODE, &call.body)?;
    let mut vpc = None;
    if given.contains_key("address") {
        // A node that stays in its subnet need not say so again.
        let subnet = state_of(tx, &node).map(|v| v.number("subnet_id"));
        if let (None, Some(subnet)) = (given.number("subnet_id"), subnet) {
            given.insert("subnet_id".to_owned(), subnet.into());
        }
        vpc = Some(judge(tx, &balancer, &given)?);
    }
    given.remove("subnet_id");
    let changed = tx.change(Kind::NodeBalancerNode, node.key(), |record| {
        record.body.extend(given);
        if let Some(vpc) = vpc {
            record.set("vpc_config_id", vpc);
        }
    });
    event::notify(tx, "nodebalancer_node_update", &entity(&balancer));
    changed.map(|node| plain(&node)).ok_or_else(Errors::not_found)
}

fn state_of(state: &State, node: &Record) -> Option<Arc<Record>> {
    let (balancer, vpc) = (node.number("nodebalancer_id"), node.number("vpc_config_id"));
    state.get(Kind::NodeBalancerVpc, balancer, vpc).cloned()
}

pub(super) fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (balancer, node) = (find(tx, call)?, of(tx, call)?);
    tx.delete(Kind::NodeBalancerNode, node.key());
    event::notify(tx, "nodebalancer_node_delete", &entity(&balancer));
    Ok(json!({}))
}

/// The NodeBalancers that have a node at one of an instance's addresses.
pub(crate) fn before(state: &State, instance: &Record) -> Vec<Arc<Record>> {
    let addresses: Vec<&str> =
        state.of(Kind::Ip, instance.id).map(|ip| ip.text("address")).collect();
    let at = |node: &Arc<Record>| {
        node.text("address").split(':').next().is_some_and(|a| addresses.contains(&a))
    };
    let ids: Vec<u64> = state
        .all(Kind::NodeBalancerNode)
        .filter(|node| at(node))
        .map(|node| node.number("nodebalancer_id"))
        .collect();
    state.all(Kind::NodeBalancer).filter(|b| ids.contains(&b.id)).cloned().collect()
}
