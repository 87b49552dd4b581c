//! Account, settings, profile, SSH keys, events, tags.

mod events;
mod profile;
pub(crate) mod tags;

use super::route::{Route, delete, get, list, post, put};
use crate::call::{Call, plain};
use crate::check::{Field, Rule, field, update};
use crate::error::Errors;
use crate::store::{Body, Key, Kind, Record, State, Tx};
use serde_json::{Value, json};

pub(crate) const ROUTES: &[Route] = &[
    get("/account", |state, _| only(state, Kind::Account)),
    put("/account", |tx, call| change_only(tx, call, Kind::Account, ACCOUNT)),
    get("/account/settings", |state, _| only(state, Kind::Settings)),
    put("/account/settings", |tx, call| change_only(tx, call, Kind::Settings, SETTINGS)),
    get("/account/transfer", |_, _| {
        Ok(json!({"billable": 0, "quota": 0, "used": 0, "region_transfers": []}))
    }),
    list("/account/availability", |_, call| call.page_of_values(profile::availability())),
    list("/account/events", |state, call| call.page(state.all(Kind::Event), plain)),
    get("/account/events/{id}", events::view),
    post("/account/events/{id}/seen", |tx, call| events::mark(tx, call, "seen")),
    post("/account/events/{id}/read", |tx, call| events::mark(tx, call, "read")),
    get("/profile", |state, _| only(state, Kind::Profile)),
    put("/profile", |tx, call| change_only(tx, call, Kind::Profile, PROFILE)),
    get("/profile/preferences", |state, _| {
        let profile = state.get(Kind::Profile, 0, 0);
        Ok(profile.map_or_else(|| json!({}), |p| Value::Object(p.hidden.clone())))
    }),
    put("/profile/preferences", |tx, call| {
        tx.change(Kind::Profile, ONLY, |profile| profile.hidden = call.body.clone());
        Ok(Value::Object(call.body.clone()))
    }),
    get("/profile/grants", |_, _| Ok(json!({}))),
    list("/profile/sshkeys", |state, call| call.page(state.all(Kind::Key), plain)),
    post("/profile/sshkeys", profile::add_key),
    get("/profile/sshkeys/{id}", profile::view_key),
    put("/profile/sshkeys/{id}", profile::change_key),
    delete("/profile/sshkeys/{id}", profile::delete_key),
    list("/tags", |state, call| call.page(state.all(Kind::Tag), plain)),
    post("/tags", tags::create),
    list("/tags/{label}", tags::objects),
    delete("/tags/{label}", tags::delete),
];

const ONLY: Key = Key { parent: 0, id: 0 };
const SHORT: Rule = Rule::Text(0, 128);
const ACCOUNT: &[Field] = &[
    field("address_1", SHORT),
    field("address_2", SHORT),
    field("city", SHORT),
    field("company", SHORT),
    field("country", Rule::Text(2, 2)),
    field("email", SHORT),
    field("first_name", SHORT),
    field("last_name", SHORT),
    field("phone", SHORT),
    field("state", SHORT),
    field("tax_id", SHORT),
    field("zip", SHORT),
];
const SETTINGS: &[Field] = &[
    field("backups_enabled", Rule::Boolean),
    field("network_helper", Rule::Boolean),
    field("interfaces_for_new_linodes", Rule::OneOf(&["legacy_config_only"])),
    field("maintenance_policy", Rule::OneOf(&["linode/migrate", "linode/power_off_on"])),
];
const PROFILE: &[Field] = &[
    field("email", SHORT),
    field("timezone", SHORT),
    field("email_notifications", Rule::Boolean),
    field("ip_whitelist_enabled", Rule::Boolean),
    field("lish_auth_method", Rule::OneOf(&["password_keys", "keys_only", "disabled"])),
    field("authorized_keys", Rule::List(&Rule::Text(1, 16_384))),
    field("two_factor_auth", Rule::Boolean),
    field("restricted", Rule::Boolean),
];

fn only(state: &State, kind: Kind) -> Result<Value, Errors> {
    state.get(kind, 0, 0).map(|record| plain(record)).ok_or_else(Errors::not_found)
}

fn change_only(
    tx: &mut Tx<'_>,
    call: &Call,
    kind: Kind,
    fields: &[Field],
) -> Result<Value, Errors> {
    let given = update(fields, &call.body)?;
    tx.change(kind, ONLY, |record| record.body.extend(given));
    only(tx, kind)
}

/// The account that a new folder of state begins with. Its names say what it is.
pub(crate) fn first_run(tx: &mut Tx<'_>) {
    for (kind, body) in [
        (Kind::Account, profile::account()),
        (Kind::Settings, profile::settings()),
        (Kind::Profile, profile::profile()),
        (
            Kind::FirewallSettings,
            json!({"default_firewall_ids": {
                "linode": null, "nodebalancer": null, "public_interface": null, "vpc_interface": null,
            }}),
        ),
    ] {
        if let (None, Value::Object(body)) = (tx.get(kind, 0, 0), body) {
            tx.put(kind, Record { id: 0, parent: 0, body, hidden: Body::new() });
        }
    }
}
