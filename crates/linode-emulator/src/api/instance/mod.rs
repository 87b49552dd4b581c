//! Instances: records with a life cycle. What they are made of is beside them: `disk`, `config`, `ip`.

mod config;
mod create;
mod disk;
mod interface;
mod ip;
mod life;
mod power;
mod resize;

pub(crate) use config::ROUTES as CONFIG_ROUTES;
pub(crate) use disk::ROUTES as DISK_ROUTES;
pub(crate) use interface::{in_subnet, vpc_addresses};
pub(crate) use ip::{
    ROUTES as IP_ROUTES, change as change_ip, for_balancer as balancer_address, show as show_ip,
};
pub(crate) use life::{begin, finish};

use super::account::tags;
use super::firewall;
use super::route::{Route, delete, get, list, post, put};
use super::{nodebalancer, placement, volume};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, TAGS, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::job::{self, Work};
use crate::store::{Key, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    list("/linode/instances", |state, call| call.page(state.all(Kind::Instance), show)),
    post("/linode/instances", create::create),
    get("/linode/instances/{id}", |state, call| Ok(show(&*find(state, call)?))),
    put("/linode/instances/{id}", change),
    delete("/linode/instances/{id}", remove),
    post("/linode/instances/{id}/boot", power::boot),
    post("/linode/instances/{id}/reboot", power::reboot),
    post("/linode/instances/{id}/shutdown", power::shutdown),
    post("/linode/instances/{id}/password", power::password),
    post("/linode/instances/{id}/resize", resize::resize),
    post("/linode/instances/{id}/migrate", resize::migrate),
    post("/linode/instances/{id}/rebuild", create::rebuild),
    post("/linode/instances/{id}/backups/enable", |tx, call| backups(tx, call, true)),
    post("/linode/instances/{id}/backups/cancel", |tx, call| backups(tx, call, false)),
    list("/linode/instances/{id}/volumes", |state, call| {
        let id = find(state, call)?.id;
        let attached = state.all(Kind::Volume).filter(move |v| v.number("linode_id") == id);
        call.page(attached, |v| volume::show(state, v))
    }),
    list("/linode/instances/{id}/firewalls", |state, call| {
        firewall::guarding(state, call, "linode", find(state, call)?.id)
    }),
    list("/linode/instances/{id}/nodebalancers", |state, call| {
        let instance = find(state, call)?;
        call.page(nodebalancer::before(state, &instance).iter(), nodebalancer::show)
    }),
    get("/linode/instances/{id}/transfer", |state, call| {
        let quota = find(state, call)?.body.object("specs").and_then(|s| s.number("transfer"));
        Ok(json!({"used": 0, "billable": 0, "quota": quota}))
    }),
];

const LABEL: Rule = Rule::Label(3, 64, "-_.");
const CHANGE: &[Field] = &[
    field("label", LABEL),
    field("group", Rule::Text(0, 50)),
    TAGS,
    field("watchdog_enabled", Rule::Boolean),
    field("alerts", Rule::Object),
    field("backups", Rule::Object),
    field("maintenance_policy", Rule::OneOf(POLICIES)),
];
const POLICIES: &[&str] = &["linode/migrate", "linode/power_off_on"];
/// Highest values; the least is 0, which switches an alert off.
const ALERTS: &[(&str, u64)] = &[
    ("cpu", 10_000),
    ("io", 1_000_000),
    ("network_in", 100_000),
    ("network_out", 100_000),
    ("transfer_quota", 400),
];
const DAYS: &[&str] =
    &["Scheduling", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The instance that the first part of the path names.
fn find(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    state.get(Kind::Instance, 0, call.id(0)?).cloned().ok_or_else(Errors::not_found)
}

pub(crate) fn show(record: &Record) -> Value {
    plain(record)
}

fn key(instance: &Record) -> Key {
    instance.key()
}

/// Is something being done to it? Then most else has to wait.
fn unless_busy(state: &State, instance: &Record) -> Result<(), Errors> {
    let busy = state.all(Kind::Job).any(|job| job.number("subject") == instance.id);
    if busy { Err(Errors::busy()) } else { Ok(()) }
}

fn label_is_free(state: &State, label: &str, but: u64) -> Result<(), Errors> {
    match state.named(Kind::Instance, label) {
        Some(other) if other.id != but => {
            Err(Errors::field("label", "Label must be unique among your linodes"))
        }
        _ => Ok(()),
    }
}

fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    let mut given = update(CHANGE, &call.body)?;
    if let Some(label) = given.text("label") {
        label_is_free(tx, label, instance.id)?;
    }
    let alerts = given.remove("alerts");
    let backups = given.remove("backups");
    tags::note(tx, &given);
    let mut changed = Record::clone(&instance);
    changed.body.extend(given);
    if let Some(Value::Object(alerts)) = alerts {
        for (name, most) in ALERTS {
            let Some(value) = alerts.get(*name).filter(|v| !v.is_null()) else { continue };
            if value.as_u64().is_none_or(|v| v > *most) {
                let field = format!("alerts.{name}");
                return Err(Errors::field(
                    &field,
                    format!("Must be an integer between 0 and {most}"),
                ));
            }
            changed.body["alerts"][*name] = value.clone();
        }
    }
    if let Some(schedule) = backups.as_ref().and_then(|b| b.get("schedule")) {
        schedule_backups(&mut changed, schedule)?;
    }
    changed.set("updated", event::now());
    let changed = tx.put(Kind::Instance, changed);
    event::notify(tx, "linode_update", &Entity::instance(&changed));
    Ok(show(&changed))
}

fn schedule_backups(instance: &mut Record, schedule: &Value) -> Result<(), Errors> {
    if let Some(day) = schedule["day"].as_str().filter(|d| !d.is_empty()) {
        if !DAYS.contains(&day) {
            let reason = format!("Must be one of {}", DAYS.join(", "));
            return Err(Errors::field("backups.schedule.day", reason));
        }
        instance.body["backups"]["schedule"]["day"] = day.into();
    }
    if let Some(window) = schedule["window"].as_str().filter(|w| !w.is_empty()) {
        // Two hours each, named after the first: W0, W2 … W22.
        let hour = window.strip_prefix('W').and_then(|h| h.parse::<u8>().ok());
        if window != "Scheduling" && !hour.is_some_and(|h| h < 24 && h % 2 == 0) {
            return Err(Errors::field(
                "backups.schedule.window",
                "Must be W0, W2 and so on to W22",
            ));
        }
        instance.body["backups"]["schedule"]["window"] = window.into();
    }
    Ok(())
}

fn backups(tx: &mut Tx<'_>, call: &Call, enabled: bool) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    tx.change(Kind::Instance, key(&instance), |record| {
        record.body["backups"]["enabled"] = enabled.into();
        record.set("updated", event::now());
    });
    let action = if enabled { "backups_enable" } else { "backups_cancel" };
    event::notify(tx, action, &Entity::instance(&instance));
    Ok(json!({}))
}

/// It is gone at once for everybody but its event: what hung on it is free again when that ends.
fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    tx.change(Kind::Instance, key(&instance), |record| record.set("status", "deleting"));
    job::add(tx, "linode_delete", instance.id, &Entity::instance(&instance), None, &Work::Delete);
    Ok(json!({}))
}

/// Takes away everything that belonged to it.
fn erase(tx: &mut Tx<'_>, instance: &Record) {
    firewall::forget(tx, "linode", instance.id);
    placement::forget(tx, instance.id);
    volume::let_go(tx, instance.id);
    for kind in [Kind::Disk, Kind::Config, Kind::Ip] {
        tx.delete_of(kind, instance.id);
    }
    tx.delete(Kind::Instance, key(instance));
}
