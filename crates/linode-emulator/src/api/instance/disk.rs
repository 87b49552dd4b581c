//! Disks of an instance.

use super::power::ROOT_PASS;
use super::{find, unless_busy};
use crate::api::catalog;
use crate::api::route::{Route, delete, get, list, post, put};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::job::{self, Work};
use crate::store::{Body, Key, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    list("/linode/instances/{id}/disks", |state, call| {
        call.page(
            state.of(Kind::Disk, find(state, call)?.id).collect::<Vec<_>>().into_iter(),
            plain,
        )
    }),
    post("/linode/instances/{id}/disks", add),
    get("/linode/instances/{id}/disks/{disk}", |state, call| Ok(plain(&of(state, call)?.1))),
    put("/linode/instances/{id}/disks/{disk}", change),
    delete("/linode/instances/{id}/disks/{disk}", remove),
    post("/linode/instances/{id}/disks/{disk}/resize", resize),
    post("/linode/instances/{id}/disks/{disk}/password", password),
];

const SIZE: Rule = Rule::Integer(1, 1_048_576);
const LABEL: Rule = Rule::Text(1, 48);
const DISK: &[Field] = &[
    field("label", LABEL),
    field("size", SIZE).required().fixed(),
    field("image", Rule::Text(0, 128)).fixed(),
    field("root_pass", ROOT_PASS).fixed(),
    field("authorized_keys", Rule::List(&Rule::Text(1, 16_384))).fixed(),
    field("authorized_users", Rule::List(&Rule::Text(1, 64))).fixed(),
    field("filesystem", Rule::OneOf(&["raw", "swap", "ext3", "ext4", "initrd"])).fixed(),
];
const RESIZE: &[Field] = &[field("size", SIZE).required()];
const PASSWORD: &[Field] = &[field("password", ROOT_PASS).required()];

fn of(state: &State, call: &Call) -> Result<(Arc<Record>, Arc<Record>), Errors> {
    let instance = find(state, call)?;
    let disk = state.get(Kind::Disk, instance.id, call.id(1)?).cloned();
    Ok((instance, disk.ok_or_else(Errors::not_found)?))
}

/// MB of an instance's disks together.
pub(super) fn used_mb(state: &State, instance: u64) -> u64 {
    state.of(Kind::Disk, instance).map(|disk| disk.number("size")).sum()
}

fn insert(
    tx: &mut Tx<'_>,
    instance: &Record,
    label: &str,
    filesystem: &str,
    size: u64,
) -> Arc<Record> {
    let now = event::now();
    let mut body = Body::new();
    for (name, value) in [
        ("status", json!("not ready")),
        ("label", json!(label)),
        ("created", json!(now)),
        ("updated", json!(now)),
        ("filesystem", json!(filesystem)),
        ("size", json!(size)),
        ("disk_encryption", json!(instance.text("disk_encryption"))),
    ] {
        body.insert(name.to_owned(), value);
    }
    tx.insert(Kind::Disk, instance.id, body, Body::new())
}

/// The disks that an image brings: its own, as large as there is room, and swap.
pub(super) fn from_image(
    tx: &mut Tx<'_>,
    instance: &Record,
    given: &Body,
    image: &catalog::Image,
    swap: u64,
) -> Vec<u64> {
    let room = instance.body.object("specs").and_then(|s| s.number("disk")).unwrap_or_default();
    let size = given.number("boot_size").unwrap_or(room.saturating_sub(swap));
    let mut disks = vec![insert(tx, instance, &format!("{} Disk", image.label), "ext4", size).id];
    if swap > 0 {
        disks.push(insert(tx, instance, &format!("{swap} MB Swap Image"), "swap", swap).id);
    }
    disks
}

fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    let given = create(DISK, &call.body)?;
    let size = given.number("size").unwrap_or_default();
    let image = match given.text("image").filter(|image| !image.is_empty()) {
        None => None,
        Some(id) => {
            let image = catalog::image(id);
            Some(image.ok_or_else(|| Errors::field("image", "image is not valid"))?)
        }
    };
    if let Some(image) = image {
        let keys = given.list("authorized_keys").len() + given.list("authorized_users").len();
        if given.text("root_pass").is_none() && keys == 0 {
            return Err(Errors::field("root_pass", "root_pass is required"));
        }
        if size < image.size_mb {
            let reason = format!("Must be {} or more for {}", image.size_mb, image.id);
            return Err(Errors::field("size", reason));
        }
    }
    unless_busy(tx, &instance)?;
    fits(tx, &instance, size, 0)?;
    let filesystem = given.text("filesystem").unwrap_or("ext4");
    let label = given.text("label").filter(|label| !label.is_empty());
    let disk = insert(tx, &instance, label.unwrap_or("Disk"), filesystem, size);
    if label.is_none() {
        let named = format!("disk{}", disk.id);
        tx.change(Kind::Disk, disk.key(), |record| record.set("label", named));
    }
    work(tx, "disk_create", &instance, &disk, &Work::DiskCreate { disk: disk.id });
    of_id(tx, &disk)
}

fn of_id(tx: &Tx<'_>, disk: &Record) -> Result<Value, Errors> {
    tx.get(Kind::Disk, disk.parent, disk.id).map(|d| plain(d)).ok_or_else(Errors::not_found)
}

fn work(tx: &mut Tx<'_>, action: &str, instance: &Record, disk: &Record, work: &Work) {
    let path = format!("linode/instances/{}/disks", instance.id);
    let secondary = Entity::of("disk", &path, disk);
    job::add(tx, action, instance.id, &Entity::instance(instance), Some(&secondary), work);
}

/// Is there room for a disk of this size in place of one of that?
fn fits(state: &State, instance: &Record, size: u64, instead_of: u64) -> Result<(), Errors> {
    let room = instance.body.object("specs").and_then(|s| s.number("disk")).unwrap_or_default();
    let used = used_mb(state, instance.id).saturating_sub(instead_of);
    if used + size > room {
        let left = room.saturating_sub(used);
        let reason = format!("Insufficient space for this disk: {left} MB are free");
        return Err(Errors::field("size", reason));
    }
    Ok(())
}

fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (_, disk) = of(tx, call)?;
    let given = update(DISK, &call.body)?;
    let changed = tx.change(Kind::Disk, disk.key(), |record| {
        record.body.extend(given);
        record.set("updated", event::now());
    });
    changed.map(|disk| plain(&disk)).ok_or_else(Errors::not_found)
}

fn resize(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (instance, disk) = of(tx, call)?;
    let size = create(RESIZE, &call.body)?.number("size").unwrap_or_default();
    unless_busy(tx, &instance)?;
    if instance.text("status") != "offline" {
        return Err(Errors::bad("Linode must be powered off to resize a disk"));
    }
    fits(tx, &instance, size, disk.number("size"))?;
    work(tx, "disk_resize", &instance, &disk, &Work::DiskResize { disk: disk.id, size });
    Ok(json!({}))
}

/// The password is judged and not kept.
fn password(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (instance, disk) = of(tx, call)?;
    create(PASSWORD, &call.body)?;
    unless_busy(tx, &instance)?;
    work(tx, "password_reset", &instance, &disk, &Work::Password);
    Ok(json!({}))
}

fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (instance, disk) = of(tx, call)?;
    unless_busy(tx, &instance)?;
    tx.change(Kind::Disk, disk.key(), |record| record.set("status", "deleting"));
    work(tx, "disk_delete", &instance, &disk, &Work::DiskDelete { disk: disk.id });
    Ok(json!({}))
}

/// All of an instance's disks can be used.
pub(super) fn ready(tx: &mut Tx<'_>, instance: u64) {
    let keys: Vec<Key> = tx.of(Kind::Disk, instance).map(|disk| disk.key()).collect();
    for key in keys {
        tx.change(Kind::Disk, key, |disk| disk.set("status", "ready"));
    }
}

pub(super) fn created(tx: &mut Tx<'_>, instance: u64, id: u64) {
    tx.change(Kind::Disk, Key { parent: instance, id }, |disk| disk.set("status", "ready"));
}

pub(super) fn resized(tx: &mut Tx<'_>, instance: u64, id: u64, size: u64) {
    tx.change(Kind::Disk, Key { parent: instance, id }, |disk| {
        disk.set("size", size);
        disk.set("status", "ready");
        disk.set("updated", event::now());
    });
}

/// Configurations lose it too.
pub(super) fn deleted(tx: &mut Tx<'_>, instance: u64, id: u64) {
    tx.delete(Kind::Disk, Key { parent: instance, id });
    let configs: Vec<Key> = tx.of(Kind::Config, instance).map(|config| config.key()).collect();
    for key in configs {
        tx.change(Kind::Config, key, |config| {
            let devices = config.body.get_mut("devices").and_then(Value::as_object_mut);
            for slot in devices.into_iter().flat_map(|devices| devices.values_mut()) {
                if slot["disk_id"] == id {
                    *slot = Value::Null;
                }
            }
        });
    }
}
