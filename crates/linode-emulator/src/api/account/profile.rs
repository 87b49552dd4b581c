//! The account and its one user, and the user's SSH keys.

use crate::api::catalog;
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::store::{Body, Key, Kind, State, Tx};
use serde_json::{Value, json};

const USER: &str = "emulator";
const KEY: &[Field] = &[
    field("label", Rule::Text(1, 64)).required(),
    field("ssh_key", Rule::Text(1, 16_384)).required().fixed(),
];
/// What a line of authorized_keys may begin with.
const ALGORITHMS: &[&str] = &[
    "ssh-ed25519 ",
    "ssh-rsa ",
    "ecdsa-sha2-nistp256 ",
    "ecdsa-sha2-nistp384 ",
    "ecdsa-sha2-nistp521 ",
    "sk-ssh-ed25519@openssh.com ",
    "sk-ecdsa-sha2-nistp256@openssh.com ",
];

pub(super) fn account() -> Value {
    json!({
        "first_name": "Linode", "last_name": "Emulator", "email": "emulator@example.com",
        "company": "", "address_1": "", "address_2": "", "city": "", "state": "", "zip": "",
        "country": "ES", "phone": "", "tax_id": "", "balance": 0.0, "balance_uninvoiced": 0.0,
        "credit_card": {"last_four": null, "expiry": null},
        "euuid": "00000000-0000-0000-0000-000000000000", "billing_source": "linode",
        "active_since": event::now(), "active_promotions": [],
        "capabilities": [
            "Linodes", "NodeBalancers", "Block Storage", "Object Storage", "Cloud Firewall", "VPCs",
            "Placement Group", "Disk Encryption", "Block Storage Encryption",
        ],
    })
}

pub(super) fn settings() -> Value {
    json!({
        "backups_enabled": false, "managed": false, "network_helper": true,
        "longview_subscription": null, "object_storage": "active",
        "interfaces_for_new_linodes": "legacy_config_only",
        "maintenance_policy": "linode/migrate", "tfa_enforced": false,
    })
}

pub(super) fn profile() -> Value {
    json!({
        "uid": 1, "username": USER, "email": "emulator@example.com", "timezone": "UTC",
        "email_notifications": false, "ip_whitelist_enabled": false, "two_factor_auth": false,
        "restricted": false, "lish_auth_method": "keys_only", "authorized_keys": [],
        "authentication_type": "password", "verified_phone_number": null, "tfa_enforced": false,
        "referrals": {"code": "", "url": "", "total": 0, "completed": 0, "pending": 0, "credit": 0},
    })
}

/// Nothing is sold out.
pub(super) fn availability() -> impl Iterator<Item = Value> {
    let available = ["Linodes", "NodeBalancers", "Block Storage"];
    catalog::region_ids()
        .map(move |id| json!({"region": id, "available": available, "unavailable": []}))
}

pub(super) fn add_key(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let mut given = create(KEY, &call.body)?;
    let text = given.text("ssh_key").unwrap_or_default().trim().to_owned();
    let parts: Vec<&str> = text.split_whitespace().collect();
    if !ALGORITHMS.iter().any(|a| text.starts_with(a)) || parts.len() < 2 {
        return Err(Errors::field(
            "ssh_key",
            "Must be a public key in the form of authorized_keys",
        ));
    }
    given.insert("created".to_owned(), event::now().into());
    let key = tx.insert(Kind::Key, 0, given, Body::new());
    event::notify(tx, "user_ssh_key_add", &entity(&key));
    Ok(plain(&key))
}

fn entity(key: &crate::store::Record) -> Entity {
    Entity::of("user_ssh_key", "profile/sshkeys", key)
}

pub(super) fn view_key(state: &State, call: &Call) -> Result<Value, Errors> {
    state.get(Kind::Key, 0, call.id(0)?).map(|k| plain(k)).ok_or_else(Errors::not_found)
}

pub(super) fn change_key(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let given = update(KEY, &call.body)?;
    let key = Key { parent: 0, id: call.id(0)? };
    let changed = tx.change(Kind::Key, key, |record| record.body.extend(given));
    let changed = changed.ok_or_else(Errors::not_found)?;
    event::notify(tx, "user_ssh_key_update", &entity(&changed));
    Ok(plain(&changed))
}

pub(super) fn delete_key(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let key = tx.get(Kind::Key, 0, call.id(0)?).cloned().ok_or_else(Errors::not_found)?;
    tx.delete(Kind::Key, key.key());
    event::notify(tx, "user_ssh_key_delete", &entity(&key));
    Ok(json!({}))
}
