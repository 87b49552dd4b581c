//! Ports of a NodeBalancer.

use super::{body_of, entity, find, node};
use crate::api::route::{Route, delete, get, list, post, put};
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event;
use crate::store::{Body, Kind, Record, State, Tx};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    list("/nodebalancers/{id}/configs", |state, call| {
        let id = find(state, call)?.id;
        call.page(state.of(Kind::NodeBalancerConfig, id), |config| show(state, config))
    }),
    post("/nodebalancers/{id}/configs", add),
    get("/nodebalancers/{id}/configs/{config}", |state, call| Ok(show(state, &*of(state, call)?))),
    put("/nodebalancers/{id}/configs/{config}", change),
    delete("/nodebalancers/{id}/configs/{config}", remove),
    post("/nodebalancers/{id}/configs/{config}/rebuild", rebuild),
    list("/nodebalancers/{id}/configs/{config}/nodes", node::all),
    post("/nodebalancers/{id}/configs/{config}/nodes", node::add),
    get("/nodebalancers/{id}/configs/{config}/nodes/{node}", node::view),
    put("/nodebalancers/{id}/configs/{config}/nodes/{node}", node::change),
    delete("/nodebalancers/{id}/configs/{config}/nodes/{node}", node::remove),
];

const PORT: Rule = Rule::Integer(1, 65_535);
const CONFIG: &[Field] = &[
    field("port", PORT),
    field("protocol", Rule::OneOf(&["http", "https", "tcp", "udp"])),
    field("proxy_protocol", Rule::OneOf(&["none", "v1", "v2"])),
    field("algorithm", Rule::OneOf(&["roundrobin", "leastconn", "source", "ring_hash"])),
    field("stickiness", Rule::OneOf(&["none", "table", "http_cookie", "session", "source_ip"])),
    field("check", Rule::OneOf(&["none", "connection", "http", "http_body"])),
    field("check_interval", Rule::Integer(2, 3600)),
    field("check_timeout", Rule::Integer(1, 30)),
    field("check_attempts", Rule::Integer(1, 30)),
    field("check_path", Rule::Text(0, 255)),
    field("check_body", Rule::Text(0, 4096)),
    field("check_passive", Rule::Boolean),
    field("cipher_suite", Rule::OneOf(&["recommended", "legacy", "none"])),
    field("udp_check_port", PORT),
    field("ssl_cert", Rule::Text(0, 131_072)),
    field("ssl_key", Rule::Text(0, 131_072)),
    field("nodes", Rule::List(&Rule::Object)),
];

pub(super) fn of(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    let balancer = find(state, call)?;
    let config = state.get(Kind::NodeBalancerConfig, balancer.id, call.id(1)?);
    config.cloned().ok_or_else(Errors::not_found)
}

/// No node is asked for its health here: none of them is up or down.
fn show(_: &State, config: &Record) -> Value {
    Value::Object(config.body.clone())
}

fn defaults(balancer: u64) -> Body {
    body_of([
        ("port", json!(80)),
        ("protocol", json!("http")),
        ("algorithm", json!("roundrobin")),
        ("stickiness", json!("none")),
        ("check", json!("none")),
        ("check_interval", json!(60)),
        ("check_timeout", json!(30)),
        ("check_attempts", json!(3)),
        ("check_path", json!("")),
        ("check_body", json!("")),
        ("check_passive", json!(true)),
        ("proxy_protocol", json!("none")),
        ("cipher_suite", json!("recommended")),
        ("nodebalancer_id", json!(balancer)),
        ("ssl_commonname", json!("")),
        ("ssl_fingerprint", json!("")),
        ("ssl_cert", Value::Null),
        ("ssl_key", Value::Null),
        ("nodes_status", json!({"up": 0, "down": 0})),
        ("udp_check_port", json!(80)),
        ("udp_session_timeout", json!(16)),
    ])
}

/// A new port with its nodes.
pub(super) fn make(
    tx: &mut Tx<'_>,
    balancer: &Record,
    wanted: &Body,
) -> Result<Arc<Record>, Errors> {
    let mut given = create(CONFIG, wanted)?;
    let nodes = given.remove("nodes").unwrap_or_default();
    let mut body = defaults(balancer.id);
    merge(tx, balancer.id, 0, &mut body, given)?;
    let config = tx.insert(Kind::NodeBalancerConfig, balancer.id, body, Body::new());
    node::make_all(tx, balancer, &config, &nodes)?;
    Ok(config)
}

/// Puts what is given into a port, and judges the whole.
fn merge(
    state: &State,
    balancer: u64,
    own: u64,
    body: &mut Body,
    given: Body,
) -> Result<(), Errors> {
    let tls = given.contains_key("ssl_cert") || given.contains_key("ssl_key");
    // What is shown in place of a certificate and its key, and comes back with a change.
    let kept: Vec<(String, Value)> =
        given.into_iter().filter(|(_, value)| value != "<REDACTED>").collect();
    let new_certificate = kept.iter().any(|(name, _)| name == "ssl_cert") && tls;
    body.extend(kept);
    let port = body.number("port");
    let mut others = state.of(Kind::NodeBalancerConfig, balancer).filter(|c| c.id != own);
    let udp = |body: &Body| body.text("protocol") == Some("udp");
    if others.any(|c| Some(c.number("port")) == port && udp(&c.body) == udp(body)) {
        return Err(Errors::field("port", "Port is in use by another configuration"));
    }
    let protocol = body.text("protocol").unwrap_or_default().to_owned();
    if protocol == "https" {
        for name in ["ssl_cert", "ssl_key"] {
            if body.text(name).is_none_or(str::is_empty) {
                return Err(Errors::field(name, format!("{name} is required with https")));
            }
        }
    }
    if protocol != "tcp" && body.text("proxy_protocol") != Some("none") {
        return Err(Errors::field("proxy_protocol", "Must be none unless protocol is tcp"));
    }
    let check = body.text("check").unwrap_or_default();
    if check.starts_with("http") && body.text("check_path").is_none_or(str::is_empty) {
        body.insert("check_path".to_owned(), "/".into());
    }
    if body.text("check") == Some("http_body") && body.text("check_body").is_none_or(str::is_empty)
    {
        return Err(Errors::field("check_body", "check_body is required with http_body"));
    }
    if protocol == "https" && new_certificate {
        seal(body);
    } else if protocol != "https" {
        body.insert("ssl_cert".to_owned(), Value::Null);
        body.insert("ssl_key".to_owned(), Value::Null);
    }
    Ok(())
}

/// A certificate and its key are not kept: nothing here speaks TLS for a NodeBalancer. What stays is
/// a fingerprint that says whether it is another one.
fn seal(body: &mut Body) {
    let digest = Sha256::digest(body.text("ssl_cert").unwrap_or_default().as_bytes());
    let bytes: Vec<String> = digest.iter().take(20).map(|byte| format!("{byte:02X}")).collect();
    body.insert("ssl_fingerprint".to_owned(), bytes.join(":").into());
    for name in ["ssl_cert", "ssl_key"] {
        body.insert(name.to_owned(), "<REDACTED>".into());
    }
}

fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let balancer = find(tx, call)?;
    let config = make(tx, &balancer, &call.body)?;
    event::notify(tx, "nodebalancer_config_create", &entity(&balancer));
    Ok(show(tx, &config))
}

fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (balancer, config) = (find(tx, call)?, of(tx, call)?);
    let mut given = update(CONFIG, &call.body)?;
    given.remove("nodes");
    let mut changed = Record::clone(&config);
    merge(tx, balancer.id, config.id, &mut changed.body, given)?;
    let changed = tx.put(Kind::NodeBalancerConfig, changed);
    event::notify(tx, "nodebalancer_config_update", &entity(&balancer));
    Ok(show(tx, &changed))
}

/// The same, and the nodes are those that are given.
fn rebuild(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (balancer, config) = (find(tx, call)?, of(tx, call)?);
    let nodes = call.body.get("nodes").filter(|nodes| nodes.is_array()).cloned();
    let nodes = nodes.ok_or_else(|| Errors::field("nodes", "nodes is required"))?;
    change(tx, call)?;
    tx.delete_of(Kind::NodeBalancerNode, config.id);
    node::make_all(tx, &balancer, &config, &nodes)?;
    Ok(show(tx, &*of(tx, call)?))
}

fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (balancer, config) = (find(tx, call)?, of(tx, call)?);
    tx.delete_of(Kind::NodeBalancerNode, config.id);
    tx.delete(Kind::NodeBalancerConfig, config.key());
    event::notify(tx, "nodebalancer_config_delete", &entity(&balancer));
    Ok(json!({}))
}
