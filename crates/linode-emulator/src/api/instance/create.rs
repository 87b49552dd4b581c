//! A new instance, and an old one made anew from an image.

use super::power::ROOT_PASS;
use super::{LABEL, POLICIES, config, disk, find, ip, label_is_free, life, unless_busy};
use crate::api::account::tags;
use crate::api::{catalog, firewall, placement};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, TAGS, create as given, field};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::job::{self, Work};
use crate::store::{Body, Key, Kind, Record, Tx};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const NAME: Rule = Rule::Text(1, 64);
const KEYS: Rule = Rule::List(&Rule::Text(1, 16_384));
const CREATE: &[Field] = &[
    field("region", NAME).required(),
    field("type", NAME).required(),
    field("label", LABEL),
    field("group", Rule::Text(0, 50)),
    TAGS,
    field("image", Rule::Text(0, 128)),
    field("root_pass", ROOT_PASS),
    field("authorized_keys", KEYS),
    field("authorized_users", KEYS),
    field("booted", Rule::Boolean),
    field("swap_size", Rule::Integer(0, 655_360)),
    field("boot_size", Rule::Integer(1, 655_360)),
    field("kernel", NAME),
    field("network_helper", Rule::Boolean),
    field("backups_enabled", Rule::Boolean),
    field("private_ip", Rule::Boolean),
    field("metadata", Rule::Object),
    field("firewall_id", Rule::Integer(-1, i64::MAX)),
    field("placement_group", Rule::Object),
    field("disk_encryption", Rule::OneOf(&["enabled", "disabled"])),
    field("interface_generation", Rule::OneOf(&["legacy_config"])),
    field("interfaces", Rule::List(&Rule::Object)),
    field("maintenance_policy", Rule::OneOf(POLICIES)),
];
const REBUILD: &[Field] = &[
    field("image", Rule::Text(1, 128)).required(),
    field("root_pass", ROOT_PASS),
    field("authorized_keys", KEYS),
    field("authorized_users", KEYS),
    field("booted", Rule::Boolean),
    field("metadata", Rule::Object),
    field("disk_encryption", Rule::OneOf(&["enabled", "disabled"])),
];
/// What the emulator does not have: saying so is better than leaving it out.
const ABSENT: &[&str] = &["stackscript_id", "backup_id", "ipv4"];
/// MB, as the API has it.
const SWAP: u64 = 512;
/// Of user data, before base64.
const USER_DATA: usize = 65_535;

pub(super) fn create(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    for name in ABSENT {
        let value = call.body.get(*name).unwrap_or(&Value::Null);
        if !(value.is_null() || *value == json!(0) || *value == json!([])) {
            return Err(Errors::field(name, format!("{name} is not available in this emulator")));
        }
    }
    let given = given(CREATE, &call.body)?;
    let (plan, image) = judge(&given)?;
    if let Some(label) = given.text("label").filter(|l| !l.is_empty()) {
        label_is_free(tx, label, 0)?;
    }
    let id = tx.next_id();
    let mut instance = record(tx, id, &given, plan, image);
    let public = ip::allocate(tx, &mut instance, true);
    if given.flag("private_ip").unwrap_or(false) {
        ip::allocate(tx, &mut instance, false);
    }
    tags::note(tx, &given);
    tx.put(Kind::Instance, instance.clone());
    if let Some(group) = given.object("placement_group") {
        let group = group.number("id").unwrap_or_default();
        placement::assign(tx, group, id, "placement_group.id")?;
    }
    if let Some(firewall) = given.get("firewall_id").and_then(Value::as_u64).filter(|f| *f > 0) {
        firewall::guard(tx, firewall, "linode", id, "firewall_id")?;
    }
    if let Some(image) = image {
        let disks = disk::from_image(tx, &instance, &given, image, swap(&given));
        config::first(tx, &instance, image.label, disks, &given, &public)?;
    } else if !given.list("interfaces").is_empty() {
        return Err(Errors::field(
            "interfaces",
            "Interfaces need an image: they belong to a configuration",
        ));
    }
    let boots = image.is_some() && given.flag("booted").unwrap_or(true);
    let secondary = image.map(|image| Entity {
        kind: "image",
        id: image.id.into(),
        label: image.label.to_owned(),
        url: format!("/v4/images/{}", image.id),
    });
    let entity = Entity::instance(&instance);
    job::add(tx, "linode_create", id, &entity, secondary.as_ref(), &Work::Provision { boots });
    tx.get(Kind::Instance, 0, id).map(|r| plain(r)).ok_or_else(Errors::not_found)
}

type Parts = (&'static catalog::Plan, Option<&'static catalog::Image>);

/// Everything that is wrong beyond the form of single fields, told at once.
fn judge(given: &Body) -> Result<Parts, Errors> {
    let mut wrong = Vec::new();
    let mut say = |field: &str, reason: String| wrong.push((field.to_owned(), reason));
    if catalog::region(given.text("region").unwrap_or_default()).is_none() {
        say("region", "region is not valid".to_owned());
    }
    let plan = catalog::plan(given.text("type").unwrap_or_default());
    if plan.is_none() {
        say("type", "A valid plan type by that ID was not found".to_owned());
    }
    let named = given.text("image").filter(|image| !image.is_empty());
    let image = named.and_then(catalog::image);
    if named.is_some() && image.is_none() {
        say("image", "image is not valid".to_owned());
    }
    if image.is_some() && !has_access(given) {
        say("root_pass", "root_pass is required".to_owned());
    }
    if given.text("kernel").is_some_and(|kernel| !catalog::kernel(kernel)) {
        say("kernel", "kernel is not valid".to_owned());
    }
    if let (Some(plan), Some(image)) = (plan, image)
        && swap(given) + image.size_mb.max(given.number("boot_size").unwrap_or(0)) > plan.disk_mb()
    {
        say(
            "swap_size",
            format!("The disks of {} do not fit into {} MB", image.id, plan.disk_mb()),
        );
    }
    if let Some(reason) = given.object("metadata").and_then(user_data_fault) {
        say("metadata.user_data", reason);
    }
    Errors::unless_empty(wrong)?;
    plan.map(|plan| (plan, image)).ok_or_else(Errors::not_found)
}

/// Somebody must be able to sign in.
fn has_access(given: &Body) -> bool {
    given.text("root_pass").is_some()
        || !given.list("authorized_keys").is_empty()
        || !given.list("authorized_users").is_empty()
}

fn swap(given: &Body) -> u64 {
    given.number("swap_size").unwrap_or(SWAP)
}

fn user_data_fault(metadata: &Body) -> Option<String> {
    let text = metadata.text("user_data")?;
    let digits = text.trim_end_matches('=');
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    if text.len() % 4 != 0 || text.len() - digits.len() > 2 || !digits.chars().all(fits) {
        return Some("Must be base64-encoded".to_owned());
    }
    (digits.len() * 3 / 4 > USER_DATA).then(|| format!("Must be at most {USER_DATA} bytes"))
}

fn record(
    tx: &Tx<'_>,
    id: u64,
    given: &Body,
    plan: &catalog::Plan,
    image: Option<&catalog::Image>,
) -> Record {
    let label = given.text("label").filter(|l| !l.is_empty());
    let label = label.map_or_else(|| format!("linode{id}"), str::to_owned);
    let user_data = given.object("metadata").and_then(|m| m.text("user_data"));
    let user_data = user_data.filter(|data| !data.is_empty());
    let default = tx.get(Kind::Settings, 0, 0).map_or("", |s| s.text("maintenance_policy"));
    let now = event::now();
    let body = json!({
        "id": id,
        "label": label,
        "group": given.text("group").unwrap_or_default(),
        "status": "provisioning",
        "created": now,
        "updated": now,
        "type": plan.id,
        "ipv4": [],
        "ipv6": ip::slaac(id) + "/128",
        "image": image.map(|image| image.id),
        "region": given.text("region"),
        "site_type": "core",
        "specs": life::specs(plan),
        "alerts": {
            "cpu": 90 * plan.vcpus,
            "network_in": 10,
            "network_out": 10,
            "transfer_quota": 80,
            "io": 10_000,
        },
        "backups": {
            "enabled": given.flag("backups_enabled").unwrap_or(false),
            "available": false,
            "schedule": {"day": null, "window": null},
            "last_successful": null,
        },
        "hypervisor": "kvm",
        "watchdog_enabled": true,
        "tags": given.list("tags"),
        "host_uuid": hex::encode(&Sha256::digest(id.to_be_bytes())[..20]),
        "has_user_data": user_data.is_some(),
        "placement_group": null,
        "disk_encryption": given.text("disk_encryption").unwrap_or("enabled"),
        "lke_cluster_id": null,
        "capabilities": ["Block Storage Encryption"],
        "interface_generation": "legacy_config",
        "maintenance_policy": given.text("maintenance_policy").unwrap_or(default),
        "locks": [],
    });
    let mut record = Record { id, ..Record::default() };
    if let Value::Object(body) = body {
        record.body = body;
    }
    remember(&mut record, given);
    record
}

/// What a machine would be started with. Passwords are not kept.
fn remember(instance: &mut Record, given: &Body) {
    for name in ["authorized_keys", "authorized_users", "metadata"] {
        if let Some(value) = given.get(name) {
            instance.hide(name, value.clone());
        }
    }
}

/// All disks and configurations go, and those of the image come.
pub(super) fn rebuild(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    let given = given(REBUILD, &call.body)?;
    let named = given.text("image").unwrap_or_default();
    let image =
        catalog::image(named).ok_or_else(|| Errors::field("image", "image is not valid"))?;
    if !has_access(&given) {
        return Err(Errors::field("root_pass", "root_pass is required"));
    }
    if let Some(reason) = given.object("metadata").and_then(user_data_fault) {
        return Err(Errors::field("metadata.user_data", reason));
    }
    unless_busy(tx, &instance)?;
    tx.delete_of(Kind::Disk, instance.id);
    tx.delete_of(Kind::Config, instance.id);
    let changed = tx.change(Kind::Instance, Key { parent: 0, id: instance.id }, |record| {
        record.set("image", image.id);
        record.set("status", "rebuilding");
        record.set("updated", event::now());
        if let Some(encryption) = given.get("disk_encryption") {
            record.set("disk_encryption", encryption.clone());
        }
        if let Some(metadata) = given.object("metadata") {
            let has = metadata.text("user_data").is_some_and(|data| !data.is_empty());
            record.set("has_user_data", has);
        }
        remember(record, &given);
    });
    let changed = changed.ok_or_else(Errors::not_found)?;
    let disks = disk::from_image(tx, &changed, &given, image, SWAP);
    let public = ip::first_public(tx, instance.id);
    config::first(tx, &changed, image.label, disks, &given, &public)?;
    let boots = given.flag("booted").unwrap_or(true);
    let entity = Entity::instance(&changed);
    job::add(tx, "linode_rebuild", changed.id, &entity, None, &Work::Rebuild { boots });
    Ok(plain(&changed))
}
