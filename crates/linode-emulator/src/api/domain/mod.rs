//! Domains and their records. Nobody answers for them in the DNS.

mod record;

use super::account::tags;
use super::route::{Route, delete, get, list, post, put};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, TAGS, create, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::store::{Body, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    list("/domains", |state, call| call.page(state.all(Kind::Domain), show)),
    post("/domains", add),
    get("/domains/{id}", |state, call| Ok(show(&*find(state, call)?))),
    put("/domains/{id}", change),
    delete("/domains/{id}", remove),
    list("/domains/{id}/records", |state, call| {
        let id = find(state, call)?.id;
        call.page(state.of(Kind::DomainRecord, id), plain)
    }),
    post("/domains/{id}/records", record::add),
    get("/domains/{id}/records/{record}", |state, call| Ok(plain(&*record::of(state, call)?))),
    put("/domains/{id}/records/{record}", record::change),
    delete("/domains/{id}/records/{record}", record::remove),
];

const SECONDS: Rule = Rule::Integer(0, 2_419_200);
const ADDRESSES: Rule = Rule::List(&Rule::Address);
const DOMAIN: &[Field] = &[
    field("domain", Rule::Text(1, 253)).required(),
    field("type", Rule::OneOf(&["master", "slave"])).required(),
    field("status", Rule::OneOf(&["active", "disabled", "edit_mode", "has_errors"])),
    field("group", Rule::Text(0, 50)),
    field("description", Rule::Text(0, 253)),
    field("soa_email", Rule::Text(0, 253)),
    field("master_ips", ADDRESSES),
    field("axfr_ips", ADDRESSES),
    field("retry_sec", SECONDS),
    field("expire_sec", SECONDS),
    field("refresh_sec", SECONDS),
    field("ttl_sec", SECONDS),
    TAGS,
];

fn find(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    state.get(Kind::Domain, 0, call.id(0)?).cloned().ok_or_else(Errors::not_found)
}

fn entity(domain: &Record) -> Entity {
    Entity::of("domain", "domains", domain)
}

pub(crate) fn show(domain: &Record) -> Value {
    plain(domain)
}

/// Labels of letters, digits and dashes, two of them at least.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    name.contains('.') && name.split('.').all(label)
}

/// What must hold of the whole.
fn judge(state: &State, body: &Body, own: u64) -> Result<(), Errors> {
    let name = body.text("domain").unwrap_or_default();
    let mut wrong = Vec::new();
    if !is_name(name) {
        wrong.push(("domain".to_owned(), "Domain is not valid.".to_owned()));
    }
    if state.named(Kind::Domain, name).is_some_and(|other| other.id != own) {
        wrong.push(("domain".to_owned(), "DNS zone already exists.".to_owned()));
    }
    let email = body.text("soa_email").unwrap_or_default();
    if body.text("type") == Some("master") {
        let valid =
            email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && is_name(host));
        if email.is_empty() {
            wrong.push(("soa_email".to_owned(), "soa_email required when type=master".to_owned()));
        } else if !valid {
            wrong.push(("soa_email".to_owned(), "Must be a valid email address".to_owned()));
        }
    } else if body.list("master_ips").is_empty() {
        wrong.push(("master_ips".to_owned(), "You need at least one master IP address".to_owned()));
    }
    Errors::unless_empty(wrong)
}

fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let given = create(DOMAIN, &call.body)?;
    judge(tx, &given, 0)?;
    tags::note(tx, &given);
    let now = event::now();
    let mut body = Body::new();
    for (name, value) in [
        ("type", Value::Null),
        ("domain", Value::Null),
        ("tags", json!([])),
        ("group", json!("")),
        ("status", json!("active")),
        ("errors", json!("")),
        ("description", json!("")),
        ("soa_email", json!("")),
        ("retry_sec", json!(0)),
        ("master_ips", json!([])),
        ("axfr_ips", json!([])),
        ("expire_sec", json!(0)),
        ("refresh_sec", json!(0)),
        ("ttl_sec", json!(0)),
        ("created", json!(now)),
        ("updated", json!(now)),
    ] {
        body.insert(name.to_owned(), value);
    }
    body.extend(given);
    let domain = tx.insert(Kind::Domain, 0, body, Body::new());
    event::notify(tx, "domain_create", &entity(&domain));
    Ok(show(&domain))
}

fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let domain = find(tx, call)?;
    let given = update(DOMAIN, &call.body)?;
    tags::note(tx, &given);
    let mut changed = Record::clone(&domain);
    changed.body.extend(given);
    judge(tx, &changed.body, domain.id)?;
    changed.set("updated", event::now());
    let changed = tx.put(Kind::Domain, changed);
    event::notify(tx, "domain_update", &entity(&changed));
    Ok(show(&changed))
}

fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let domain = find(tx, call)?;
    tx.delete_of(Kind::DomainRecord, domain.id);
    tx.delete(Kind::Domain, domain.key());
    event::notify(tx, "domain_delete", &entity(&domain));
    Ok(json!({}))
}
