//! Events: what happened to what, and how far it is. They outlive what they are about.

use crate::store::{Body, Key, Kind, Record, State, Tx};
use serde_json::{Value, json};

/// API v4's form of a moment: UTC without a zone.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// What an event is about.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub kind: &'static str,
    pub id: Value,
    pub label: String,
    pub url: String,
}

impl Entity {
    /// A thing with an id of its own below `path`.
    pub(crate) fn of(kind: &'static str, path: &str, record: &Record) -> Self {
        let label = match record.text("label") {
            "" => record.text("domain"),
            label => label,
        };
        Self::new(kind, path, record.id, label)
    }

    pub(crate) fn new(kind: &'static str, path: &str, id: u64, label: &str) -> Self {
        let url = format!("/v4/{path}/{id}");
        Self { kind, id: id.into(), label: label.to_owned(), url }
    }

    pub(crate) fn instance(record: &Record) -> Self {
        Self::of("linode", "linode/instances", record)
    }

    fn to_json(&self) -> Value {
        json!({"id": self.id, "label": self.label, "type": self.kind, "url": self.url})
    }
}

/// Something that is over as soon as it is said.
pub(crate) fn notify(tx: &mut Tx<'_>, action: &str, entity: &Entity) {
    add(tx, action, entity, None, "notification");
}

/// Something that takes its time; [`finish`] ends it. Returns its id.
pub(crate) fn begin(
    tx: &mut Tx<'_>,
    action: &str,
    entity: &Entity,
    secondary: Option<&Entity>,
) -> u64 {
    add(tx, action, entity, secondary, "scheduled")
}

fn add(
    tx: &mut Tx<'_>,
    action: &str,
    entity: &Entity,
    secondary: Option<&Entity>,
    status: &str,
) -> u64 {
    let mut body = Body::new();
    let over = status == "notification";
    for (name, value) in [
        ("action", json!(action)),
        ("created", json!(now())),
        ("duration", json!(0.0)),
        ("entity", entity.to_json()),
        ("message", json!("")),
        ("percent_complete", json!(if over { 100 } else { 0 })),
        ("rate", Value::Null),
        ("read", json!(false)),
        ("secondary_entity", secondary.map_or(Value::Null, Entity::to_json)),
        ("seen", json!(false)),
        ("status", json!(status)),
        ("time_remaining", Value::Null),
        ("username", json!(username(tx))),
    ] {
        body.insert(name.to_owned(), value);
    }
    tx.insert(Kind::Event, 0, body, Body::new()).id
}

fn username(state: &State) -> String {
    state.get(Kind::Profile, 0, 0).map_or_else(String::new, |p| p.text("username").to_owned())
}

pub(crate) fn start(tx: &mut Tx<'_>, id: u64) {
    tx.change(Kind::Event, Key { parent: 0, id }, |event| {
        event.set("status", "started");
        event.set("percent_complete", 1);
        event.hide("started_ms", jiff::Timestamp::now().as_millisecond());
    });
}

/// The end: done, or failed for a reason.
pub(crate) fn finish(tx: &mut Tx<'_>, id: u64, outcome: Result<(), &str>) {
    tx.change(Kind::Event, Key { parent: 0, id }, |event| {
        let begun = event.hidden.get("started_ms").and_then(Value::as_i64);
        let now = jiff::Timestamp::now().as_millisecond();
        let taken = u32::try_from(now - begun.unwrap_or(now)).unwrap_or(0);
        event.set("duration", f64::from(taken) / 1000.0);
        match outcome {
            Ok(()) => {
                event.set("status", "finished");
                event.set("percent_complete", 100);
            }
            Err(reason) => {
                event.set("status", "failed");
                event.set("message", reason);
            }
        }
    });
}
