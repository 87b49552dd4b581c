//! Tags: each exists once something carries it, and until it is deleted.

use crate::api::{domain, instance, nodebalancer, volume};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, create as given, field};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::store::{Body, Key, Kind, Record, State, Tx};
use serde_json::{Value, json};

/// What can carry tags, what the API calls it, and the field that names some of them.
const CARRIERS: &[(Kind, &str, &str)] = &[
    (Kind::Instance, "linode", "linodes"),
    (Kind::Domain, "domain", "domains"),
    (Kind::Volume, "volume", "volumes"),
    (Kind::NodeBalancer, "nodebalancer", "nodebalancers"),
    (Kind::Firewall, "firewall", "firewalls"),
];
const IDS: Rule = Rule::List(&Rule::Integer(1, i64::MAX));
const TAG: &[Field] = &[
    field("label", Rule::Text(3, 50)).required(),
    field("linodes", IDS),
    field("domains", IDS),
    field("volumes", IDS),
    field("nodebalancers", IDS),
];

/// Makes sure that the tags of something that was just made or changed exist.
pub(crate) fn note(tx: &mut Tx<'_>, body: &Body) {
    let labels: Vec<String> =
        body.list("tags").iter().filter_map(|t| t.as_str().map(str::to_owned)).collect();
    for label in labels {
        add(tx, &label);
    }
}

fn add(tx: &mut Tx<'_>, label: &str) {
    if tx.named(Kind::Tag, label).is_none() {
        let id = tx.next_id();
        let mut body = Body::new();
        body.insert("label".to_owned(), label.into());
        tx.put(Kind::Tag, Record { id, parent: 0, body, hidden: Body::new() });
    }
}

pub(crate) fn create(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let given = given(TAG, &call.body)?;
    let label = given.text("label").unwrap_or_default().to_owned();
    if tx.named(Kind::Tag, &label).is_some() {
        return Err(Errors::field("label", "Label must be unique among your tags"));
    }
    add(tx, &label);
    for (kind, _, field) in CARRIERS {
        for id in given.list(field).iter().filter_map(Value::as_u64) {
            let tagged = tx.change(*kind, Key { parent: 0, id }, |record| {
                if let Some(Value::Array(tags)) = record.body.get_mut("tags") {
                    tags.push(label.clone().into());
                }
            });
            tagged.ok_or_else(|| Errors::field(field, format!("{id} does not exist")))?;
        }
    }
    event::notify(tx, "tag_create", &entity(&label));
    Ok(json!({"label": label}))
}

fn entity(label: &str) -> Entity {
    Entity {
        kind: "tag",
        id: label.into(),
        label: label.to_owned(),
        url: format!("/v4/tags/{label}"),
    }
}

fn carries(record: &Record, label: &str) -> bool {
    record.body.list("tags").iter().any(|tag| tag == label)
}

pub(crate) fn objects(state: &State, call: &Call) -> Result<Value, Errors> {
    let label = call.text(0);
    state.named(Kind::Tag, label).ok_or_else(Errors::not_found)?;
    let mut all = Vec::new();
    for (kind, name, _) in CARRIERS {
        for record in state.all(*kind).filter(|r| carries(r, label)) {
            let data = match kind {
                Kind::Instance => instance::show(record),
                Kind::Domain => domain::show(record),
                Kind::Volume => volume::show(state, record),
                Kind::NodeBalancer => nodebalancer::show(record),
                _ => plain(record),
            };
            all.push(json!({"type": name, "data": data}));
        }
    }
    call.page_of_values(all)
}

pub(crate) fn delete(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let tag = tx.named(Kind::Tag, call.text(0)).cloned().ok_or_else(Errors::not_found)?;
    let label = tag.text("label").to_owned();
    for (kind, _, _) in CARRIERS {
        let keys: Vec<Key> =
            tx.all(*kind).filter(|r| carries(r, &label)).map(|r| r.key()).collect();
        for key in keys {
            tx.change(*kind, key, |record| {
                if let Some(Value::Array(tags)) = record.body.get_mut("tags") {
                    tags.retain(|tag| *tag != *label);
                }
            });
        }
    }
    tx.delete(Kind::Tag, tag.key());
    event::notify(tx, "tag_delete", &entity(&label));
    Ok(json!({}))
}
