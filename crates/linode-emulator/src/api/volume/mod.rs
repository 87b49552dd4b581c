//! Block storage volumes.

use super::account::tags;
use super::catalog;
use super::route::{Route, delete, get, list, post, put};
use crate::call::Call;
use crate::check::{Field, Given, Rule, TAGS, create, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::job::{self, Job, Work};
use crate::store::{Body, Key, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    list("/volumes", |state, call| call.page(state.all(Kind::Volume), |v| show(state, v))),
    post("/volumes", add),
    get("/volumes/{id}", |state, call| Ok(show(state, &*find(state, call)?))),
    put("/volumes/{id}", change),
    delete("/volumes/{id}", remove),
    post("/volumes/{id}/attach", attach),
    post("/volumes/{id}/detach", detach),
    post("/volumes/{id}/resize", resize),
    post("/volumes/{id}/clone", clone),
];

const LABEL: Rule = Rule::Label(1, 32, "-_");
/// GB.
const SIZE: Rule = Rule::Integer(10, 16_384);
const ID: Rule = Rule::Integer(1, i64::MAX);
const DEFAULT_SIZE: u64 = 20;
const VOLUME: &[Field] = &[
    field("label", LABEL).required(),
    field("region", Rule::Text(1, 64)).fixed(),
    field("size", SIZE).fixed(),
    field("linode_id", ID).fixed(),
    field("config_id", ID).fixed(),
    field("persist_across_boots", Rule::Boolean).fixed(),
    field("encryption", Rule::OneOf(&["enabled", "disabled"])).fixed(),
    TAGS,
];
const ATTACH: &[Field] = &[
    field("linode_id", ID).required(),
    field("config_id", ID),
    field("persist_across_boots", Rule::Boolean),
];
const RESIZE: &[Field] = &[field("size", SIZE).required()];
const CLONE: &[Field] = &[field("label", LABEL).required()];

fn find(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    state.get(Kind::Volume, 0, call.id(0)?).cloned().ok_or_else(Errors::not_found)
}

fn entity(volume: &Record) -> Entity {
    Entity::of("volume", "volumes", volume)
}

pub(crate) fn show(state: &State, volume: &Record) -> Value {
    let mut body = volume.body.clone();
    let instance = state.get(Kind::Instance, 0, volume.number("linode_id"));
    let ready = volume.text("status") == "active"
        && instance.is_some_and(|i| i.text("status") == "running");
    body.insert("linode_label".to_owned(), instance.map(|i| i.text("label")).into());
    body.insert("io_ready".to_owned(), ready.into());
    Value::Object(body)
}

fn label_is_free(state: &State, label: &str, but: u64) -> Result<(), Errors> {
    match state.named(Kind::Volume, label) {
        Some(other) if other.id != but => {
            Err(Errors::field("label", "Label must be unique among your volumes"))
        }
        _ => Ok(()),
    }
}

/// The instance that a volume of this region may be attached to.
fn host(state: &State, id: u64, region: Option<&str>) -> Result<Arc<Record>, Errors> {
    let instance = state.get(Kind::Instance, 0, id).cloned();
    let instance =
        instance.ok_or_else(|| Errors::field("linode_id", format!("Invalid Linode ID {id}")))?;
    if region.is_some_and(|region| region != instance.text("region")) {
        return Err(Errors::field("region", "Region passed in must match Linode's region."));
    }
    Ok(instance)
}

fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let given = create(VOLUME, &call.body)?;
    let label = given.text("label").unwrap_or_default();
    label_is_free(tx, label, 0)?;
    let region = given.text("region").filter(|region| !region.is_empty());
    let on = given.number("linode_id").map(|id| host(tx, id, region)).transpose()?;
    let region = match (region, &on) {
        (Some(region), _) => region.to_owned(),
        (None, Some(instance)) => instance.text("region").to_owned(),
        (None, None) => {
            return Err(Errors::field("region", "region is required without linode_id"));
        }
    };
    if catalog::region(&region).is_none() {
        return Err(Errors::field("region", "region is not valid"));
    }
    tags::note(tx, &given);
    let volume = insert(tx, label, &region, &given, on.as_ref().map(|i| i.id));
    work(tx, "volume_create", &volume, &Work::VolumeCreate);
    Ok(show(tx, &volume))
}

fn insert(
    tx: &mut Tx<'_>,
    label: &str,
    region: &str,
    given: &Body,
    on: Option<u64>,
) -> Arc<Record> {
    let now = event::now();
    let mut body = Body::new();
    for (name, value) in [
        ("status", json!("creating")),
        ("label", json!(label)),
        ("created", json!(now)),
        ("updated", json!(now)),
        ("filesystem_path", json!(path(label))),
        ("size", json!(given.number("size").unwrap_or(DEFAULT_SIZE))),
        ("linode_id", json!(on)),
        ("linode_label", Value::Null),
        ("io_ready", json!(false)),
        ("region", json!(region)),
        ("tags", json!(given.list("tags"))),
        ("hardware_type", json!("nvme")),
        ("encryption", json!(given.text("encryption").unwrap_or("disabled"))),
        ("locks", json!([])),
    ] {
        body.insert(name.to_owned(), value);
    }
    tx.insert(Kind::Volume, 0, body, Body::new())
}

fn path(label: &str) -> String {
    format!("/dev/disk/by-id/scsi-0Linode_Volume_{label}")
}

fn work(tx: &mut Tx<'_>, action: &str, volume: &Record, work: &Work) {
    job::add(tx, action, volume.id, &entity(volume), None, work);
}

fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let volume = find(tx, call)?;
    let given = update(VOLUME, &call.body)?;
    if let Some(label) = given.text("label") {
        label_is_free(tx, label, volume.id)?;
    }
    tags::note(tx, &given);
    let changed = tx.change(Kind::Volume, volume.key(), |record| {
        record.body.extend(given);
        let path = path(record.text("label"));
        record.set("filesystem_path", path);
        record.set("updated", event::now());
    });
    let changed = changed.ok_or_else(Errors::not_found)?;
    event::notify(tx, "volume_update", &entity(&changed));
    Ok(show(tx, &changed))
}

fn hang(tx: &mut Tx<'_>, volume: &Record, on: Option<u64>) -> Option<Arc<Record>> {
    tx.change(Kind::Volume, volume.key(), |record| {
        record.set("linode_id", on);
        record.set("updated", event::now());
    })
}

fn attach(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let volume = find(tx, call)?;
    let given = create(ATTACH, &call.body)?;
    let wanted = given.number("linode_id").unwrap_or_default();
    let instance = host(tx, wanted, Some(volume.text("region")))?;
    match volume.number("linode_id") {
        0 => {}
        id if id == instance.id => {}
        id => {
            return Err(Errors::bad(&format!(
                "Volume {} is already attached to Linode {id}",
                volume.id
            )));
        }
    }
    if given.number("config_id").is_some_and(|c| tx.get(Kind::Config, instance.id, c).is_none()) {
        return Err(Errors::field("config_id", "config_id is not valid"));
    }
    let changed = hang(tx, &volume, Some(instance.id)).ok_or_else(Errors::not_found)?;
    let (on, about) = (Entity::instance(&instance), entity(&changed));
    job::add(tx, "volume_attach", volume.id, &about, Some(&on), &Work::VolumeAttach);
    Ok(show(tx, &changed))
}

/// Also when it hangs nowhere: there is nothing to do, and that is no error.
fn detach(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let volume = find(tx, call)?;
    if volume.number("linode_id") != 0 {
        drop_from_configs(tx, volume.number("linode_id"), volume.id);
        hang(tx, &volume, None);
        work(tx, "volume_detach", &volume, &Work::VolumeDetach);
    }
    Ok(json!({}))
}

fn drop_from_configs(tx: &mut Tx<'_>, instance: u64, volume: u64) {
    let keys: Vec<Key> = tx.of(Kind::Config, instance).map(|config| config.key()).collect();
    for key in keys {
        tx.change(Kind::Config, key, |config| {
            let devices = config.body.get_mut("devices").and_then(Value::as_object_mut);
            for slot in devices.into_iter().flat_map(|devices| devices.values_mut()) {
                if slot["volume_id"] == volume {
                    *slot = Value::Null;
                }
            }
        });
    }
}

/// The volumes of an instance that is deleted are free.
pub(crate) fn let_go(tx: &mut Tx<'_>, instance: u64) {
    let on: Vec<Arc<Record>> =
        tx.all(Kind::Volume).filter(|v| v.number("linode_id") == instance).cloned().collect();
    for volume in on {
        hang(tx, &volume, None);
    }
}

fn resize(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let volume = find(tx, call)?;
    let size = create(RESIZE, &call.body)?.number("size").unwrap_or_default();
    if size < volume.number("size") {
        return Err(Errors::field("size", "Volumes can only be resized up"));
    }
    let changed = tx.change(Kind::Volume, volume.key(), |record| record.set("status", "resizing"));
    let changed = changed.ok_or_else(Errors::not_found)?;
    work(tx, "volume_resize", &changed, &Work::VolumeResize { size });
    Ok(show(tx, &changed))
}

fn clone(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let volume = find(tx, call)?;
    let given = create(CLONE, &call.body)?;
    let label = given.text("label").unwrap_or_default();
    label_is_free(tx, label, 0)?;
    let copy = insert(tx, label, volume.text("region"), &volume.body, None);
    work(tx, "volume_clone", &copy, &Work::VolumeCreate);
    Ok(show(tx, &copy))
}

fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let volume = find(tx, call)?;
    if volume.number("linode_id") != 0 {
        return Err(Errors::bad("Volume must be detached before it can be deleted"));
    }
    tx.delete(Kind::Volume, volume.key());
    work(tx, "volume_delete", &volume, &Work::VolumeDelete);
    Ok(json!({}))
}

pub(crate) fn finish(tx: &mut Tx<'_>, job: &Job, outcome: Result<(), &str>) {
    let key = Key { parent: 0, id: job.subject };
    tx.change(Kind::Volume, key, |volume| {
        if let (Work::VolumeResize { size }, Ok(())) = (&job.work, outcome) {
            volume.set("size", *size);
        }
        if outcome.is_ok() || volume.text("status") == "resizing" {
            volume.set("status", "active");
        }
        volume.set("updated", event::now());
    });
}
