//! Records of a domain.

use super::{entity, find};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event;
use crate::store::{Body, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

const NUMBER: Rule = Rule::Integer(0, 65_535);
const RECORD: &[Field] = &[
    field("type", Rule::OneOf(&["A", "AAAA", "NS", "MX", "CNAME", "TXT", "SRV", "PTR", "CAA"]))
        .required()
        .fixed(),
    field("name", Rule::Text(0, 253)),
    field("target", Rule::Text(0, 65_535)),
    field("priority", Rule::Integer(0, 255)),
    field("weight", NUMBER),
    field("port", NUMBER),
    field("service", Rule::Text(0, 253)),
    field("protocol", Rule::Text(0, 253)),
    field("ttl_sec", Rule::Integer(0, 2_419_200)),
    field("tag", Rule::OneOf(&["issue", "issuewild", "iodef"])),
];

pub(super) fn of(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    let domain = find(state, call)?;
    let record = state.get(Kind::DomainRecord, domain.id, call.id(1)?);
    record.cloned().ok_or_else(Errors::not_found)
}

/// What a target must be depends on the type.
fn judge(body: &Body) -> Result<(), Errors> {
    let target = body.text("target").unwrap_or_default();
    let reason = match body.text("type").unwrap_or_default() {
        // The API's own word for the address of whoever asks.
        _ if target == "[remote_addr]" => None,
        "A" if target.parse::<Ipv4Addr>().is_err() => Some("Must be a valid IPv4 address"),
        "AAAA" if target.parse::<Ipv6Addr>().is_err() => Some("Must be a valid IPv6 address"),
        _ if target.is_empty() => Some("target is required"),
        _ => None,
    };
    if let Some(reason) = reason {
        return Err(Errors::field("target", reason));
    }
    if body.text("type") == Some("SRV") && body.text("service").is_none_or(str::is_empty) {
        return Err(Errors::field("service", "service is required for SRV records"));
    }
    if body.text("type") == Some("CAA") && body.text("tag").is_none_or(str::is_empty) {
        return Err(Errors::field("tag", "tag is required for CAA records"));
    }
    Ok(())
}

pub(super) fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let domain = find(tx, call)?;
    let given = create(RECORD, &call.body)?;
    judge(&given)?;
    let now = event::now();
    let mut body = Body::new();
    for (name, value) in [
        ("type", Value::Null),
        ("name", json!("")),
        ("target", json!("")),
        ("priority", json!(0)),
        ("weight", json!(0)),
        ("port", json!(0)),
        ("service", Value::Null),
        ("protocol", Value::Null),
        ("ttl_sec", json!(0)),
        ("tag", Value::Null),
        ("created", json!(now)),
        ("updated", json!(now)),
    ] {
        body.insert(name.to_owned(), value);
    }
    body.extend(given);
    let record = tx.insert(Kind::DomainRecord, domain.id, body, Body::new());
    event::notify(tx, "domain_record_create", &entity(&domain));
    Ok(plain(&record))
}

pub(super) fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (domain, record) = (find(tx, call)?, of(tx, call)?);
    let given = update(RECORD, &call.body)?;
    let mut changed = Record::clone(&record);
    changed.body.extend(given);
    judge(&changed.body)?;
    changed.set("updated", event::now());
    let changed = tx.put(Kind::DomainRecord, changed);
    event::notify(tx, "domain_record_update", &entity(&domain));
    Ok(plain(&changed))
}

pub(super) fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (domain, record) = (find(tx, call)?, of(tx, call)?);
    tx.delete(Kind::DomainRecord, record.key());
    event::notify(tx, "domain_record_delete", &entity(&domain));
    Ok(json!({}))
}
