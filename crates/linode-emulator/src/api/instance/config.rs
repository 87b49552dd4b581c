//! Configurations of an instance: what it boots, from which devices, with which interfaces.

use super::{find, interface};
use crate::api::catalog;
use crate::api::route::{Route, delete, get, list, post, put};
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::store::{Body, Kind, Record, State, Tx};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    list("/linode/instances/{id}/configs", |state, call| {
        let all: Vec<_> = state.of(Kind::Config, find(state, call)?.id).collect();
        call.page(all.into_iter(), |config| show(state, config))
    }),
    post("/linode/instances/{id}/configs", add),
    get("/linode/instances/{id}/configs/{config}", |state, call| {
        Ok(show(state, &of(state, call)?.1))
    }),
    put("/linode/instances/{id}/configs/{config}", change),
    delete("/linode/instances/{id}/configs/{config}", remove),
    get("/linode/instances/{id}/configs/{config}/interfaces", interface::all),
    post("/linode/instances/{id}/configs/{config}/interfaces", interface::add),
    post("/linode/instances/{id}/configs/{config}/interfaces/order", interface::order),
    get("/linode/instances/{id}/configs/{config}/interfaces/{interface}", interface::view),
    put("/linode/instances/{id}/configs/{config}/interfaces/{interface}", interface::change),
    delete("/linode/instances/{id}/configs/{config}/interfaces/{interface}", interface::remove),
];

const CONFIG: &[Field] = &[
    field("label", Rule::Text(1, 48)).required(),
    field("comments", Rule::Text(0, 65_535)),
    field("devices", Rule::Object).required(),
    field("helpers", Rule::Object),
    field("kernel", Rule::Text(1, 64)),
    field("memory_limit", Rule::Integer(0, 1_048_576)),
    field("initrd", Rule::Integer(0, i64::MAX)).nullable(),
    field("root_device", Rule::Text(1, 64)),
    field("run_level", Rule::OneOf(&["default", "single", "binbash"])),
    field("virt_mode", Rule::OneOf(&["paravirt", "fullvirt"])),
    field("interfaces", Rule::List(&Rule::Object)).nullable(),
];
const HELPERS: &[&str] =
    &["updatedb_disabled", "distro", "modules_dep", "network", "devtmpfs_automount"];
const SLOTS: &[&str] = &["sda", "sdb", "sdc", "sdd", "sde", "sdf", "sdg", "sdh"];

pub(super) fn of(state: &State, call: &Call) -> Result<(Arc<Record>, Arc<Record>), Errors> {
    let instance = find(state, call)?;
    let config = state.get(Kind::Config, instance.id, call.id(1)?).cloned();
    Ok((instance, config.ok_or_else(Errors::not_found)?))
}

/// Interfaces are active while their instance runs with this configuration.
pub(super) fn show(state: &State, config: &Record) -> Value {
    let mut body = config.body.clone();
    let active = is_active(state, config);
    if let Some(Value::Array(interfaces)) = body.get_mut("interfaces") {
        for interface in interfaces {
            interface["active"] = active.into();
        }
    }
    Value::Object(body)
}

pub(super) fn is_active(state: &State, config: &Record) -> bool {
    state.get(Kind::Instance, 0, config.parent).is_some_and(|instance| {
        instance.text("status") == "running" && instance.hidden_number("booted_config") == config.id
    })
}

fn defaults() -> Body {
    let helpers: Map<String, Value> =
        HELPERS.iter().map(|h| ((*h).to_owned(), true.into())).collect();
    let mut body = Body::new();
    let now = event::now();
    for (name, value) in [
        ("label", json!("")),
        ("helpers", Value::Object(helpers)),
        ("kernel", json!("linode/latest-64bit")),
        ("comments", json!("")),
        ("memory_limit", json!(0)),
        ("created", json!(now)),
        ("updated", json!(now)),
        ("root_device", json!("/dev/sda")),
        ("devices", Value::Object(SLOTS.iter().map(|s| ((*s).to_owned(), Value::Null)).collect())),
        ("initrd", Value::Null),
        ("run_level", json!("default")),
        ("virt_mode", json!("paravirt")),
        ("interfaces", json!([])),
    ] {
        body.insert(name.to_owned(), value);
    }
    body
}

/// The configuration that comes with an image.
pub(super) fn first(
    tx: &mut Tx<'_>,
    instance: &Record,
    image: &str,
    disks: Vec<u64>,
    given: &Body,
    public: &str,
) -> Result<(), Errors> {
    let mut body = defaults();
    body.insert("label".to_owned(), format!("My {image} Disk Profile").into());
    body.insert("kernel".to_owned(), given.text("kernel").unwrap_or("linode/grub2").into());
    for (slot, disk) in SLOTS.iter().zip(disks) {
        body["devices"][*slot] = json!({"disk_id": disk, "volume_id": null});
    }
    if let Some(network) = given.flag("network_helper") {
        body["helpers"]["network"] = network.into();
    }
    let interfaces = interface::build(tx, instance, given.list("interfaces"), public)?;
    body.insert("interfaces".to_owned(), Value::Array(interfaces));
    tx.insert(Kind::Config, instance.id, body, Body::new());
    Ok(())
}

fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    let given = create(CONFIG, &call.body)?;
    let mut body = defaults();
    merge(tx, &instance, &mut body, given)?;
    let config = tx.insert(Kind::Config, instance.id, body, Body::new());
    event::notify(tx, "linode_config_create", &Entity::instance(&instance));
    Ok(show(tx, &config))
}

fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (instance, config) = of(tx, call)?;
    let given = update(CONFIG, &call.body)?;
    let mut changed = Record::clone(&config);
    // Addresses of the interfaces that go are free for those that come.
    if given.get("interfaces").is_some_and(Value::is_array) {
        tx.change(Kind::Config, config.key(), |record| record.set("interfaces", json!([])));
    }
    merge(tx, &instance, &mut changed.body, given)?;
    changed.set("updated", event::now());
    let changed = tx.put(Kind::Config, changed);
    event::notify(tx, "linode_config_update", &Entity::instance(&instance));
    Ok(show(tx, &changed))
}

/// Puts what is given into a configuration, judged.
fn merge(
    tx: &mut Tx<'_>,
    instance: &Record,
    body: &mut Body,
    mut given: Body,
) -> Result<(), Errors> {
    if given.text("kernel").is_some_and(|kernel| !catalog::kernel(kernel)) {
        return Err(Errors::field("kernel", "kernel is not valid"));
    }
    if let Some(Value::Object(devices)) = given.remove("devices") {
        body.insert("devices".to_owned(), Value::Object(slots(tx, instance, &devices)?));
    }
    if let Some(Value::Object(helpers)) = given.remove("helpers") {
        for name in HELPERS {
            match helpers.get(*name) {
                Some(Value::Bool(on)) => body["helpers"][*name] = (*on).into(),
                None | Some(Value::Null) => {}
                Some(_) => {
                    let field = format!("helpers.{name}");
                    return Err(Errors::field(&field, "Must be of type Boolean"));
                }
            }
        }
    }
    // `null` is left out too: the change is one of something else.
    if let Some(Value::Array(list)) = given.remove("interfaces") {
        let public = super::ip::first_public(tx, instance.id);
        let interfaces = interface::build(tx, instance, &list, &public)?;
        body.insert("interfaces".to_owned(), Value::Array(interfaces));
    }
    body.extend(given);
    Ok(())
}

fn slots(state: &State, instance: &Record, devices: &Body) -> Result<Body, Errors> {
    let mut slots = Body::new();
    for slot in SLOTS {
        let device = devices.get(*slot).unwrap_or(&Value::Null);
        let number = |name: &str| device[name].as_u64().filter(|id| *id > 0);
        let (disk, volume) = (number("disk_id"), number("volume_id"));
        let field = |name: &str| format!("devices.{slot}.{name}");
        if disk.is_some_and(|id| state.get(Kind::Disk, instance.id, id).is_none()) {
            return Err(Errors::field(&field("disk_id"), "disk_id is not valid"));
        }
        if volume.is_some_and(|id| state.get(Kind::Volume, 0, id).is_none()) {
            return Err(Errors::field(&field("volume_id"), "volume_id is not valid"));
        }
        let value = match (disk, volume) {
            (None, None) => Value::Null,
            (disk, volume) => json!({"disk_id": disk, "volume_id": volume}),
        };
        slots.insert((*slot).to_owned(), value);
    }
    if let Some(other) =
        devices.iter().find(|(slot, v)| !SLOTS.contains(&slot.as_str()) && !v.is_null())
    {
        let reason = format!("Must be one of {}", SLOTS.join(", "));
        return Err(Errors::field(&format!("devices.{}", other.0), reason));
    }
    Ok(slots)
}

fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (instance, config) = of(tx, call)?;
    tx.delete(Kind::Config, config.key());
    event::notify(tx, "linode_config_delete", &Entity::instance(&instance));
    Ok(json!({}))
}
