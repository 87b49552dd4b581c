//! Boot, reboot, shut down, and a new root password.

use super::{find, unless_busy};
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field};
use crate::error::Errors;
use crate::event::Entity;
use crate::job::{self, Work};
use crate::store::{Kind, Record, State, Tx};
use serde_json::{Value, json};

const BOOT: &[Field] = &[field("config_id", Rule::Integer(1, i64::MAX))];
pub(super) const ROOT_PASS: Rule = Rule::Text(11, 128);
const PASSWORD: &[Field] = &[field("root_pass", ROOT_PASS).required()];

/// The configuration that a boot takes: the one that is named, else the last that was booted, else the
/// first.
pub(super) fn config(
    state: &State,
    instance: &Record,
    named: Option<u64>,
) -> Result<Option<u64>, Errors> {
    let Some(id) = named else {
        let last = state.get(Kind::Config, instance.id, instance.hidden_number("booted_config"));
        let first = || state.of(Kind::Config, instance.id).next();
        return Ok(last.or_else(first).map(|config| config.id));
    };
    let config = state.get(Kind::Config, instance.id, id);
    let config = config.ok_or_else(|| Errors::field("config_id", "config_id is not valid"))?;
    Ok(Some(config.id))
}

pub(super) fn config_entity(state: &State, instance: u64, config: Option<u64>) -> Option<Entity> {
    let config = state.get(Kind::Config, instance, config?)?;
    Some(Entity::of("linode_config", &format!("linode/instances/{instance}/configs"), config))
}

pub(super) fn start(
    tx: &mut Tx<'_>,
    action: &str,
    instance: &Record,
    config: Option<u64>,
    work: &Work,
) {
    let secondary = config_entity(tx, instance.id, config);
    job::add(tx, action, instance.id, &Entity::instance(instance), secondary.as_ref(), work);
}

pub(super) fn boot(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    let named = create(BOOT, &call.body)?.number("config_id");
    unless_busy(tx, &instance)?;
    let config = config(tx, &instance, named)?;
    if config.is_none() {
        return Err(Errors::bad("Linode has no configuration profile to boot"));
    }
    match instance.text("status") {
        "running" => Err(Errors::bad("Linode is already running")),
        _ => {
            start(tx, "linode_boot", &instance, config, &Work::Boot { config });
            Ok(json!({}))
        }
    }
}

pub(super) fn reboot(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    let named = create(BOOT, &call.body)?.number("config_id");
    unless_busy(tx, &instance)?;
    let config = config(tx, &instance, named)?;
    if config.is_none() {
        return Err(Errors::bad("Linode has no configuration profile to boot"));
    }
    start(tx, "linode_reboot", &instance, config, &Work::Reboot { config });
    Ok(json!({}))
}

pub(super) fn shutdown(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    unless_busy(tx, &instance)?;
    start(tx, "linode_shutdown", &instance, None, &Work::Shutdown);
    Ok(json!({}))
}

/// The password is judged and not kept.
pub(super) fn password(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    create(PASSWORD, &call.body)?;
    unless_busy(tx, &instance)?;
    if instance.text("status") != "offline" {
        return Err(Errors::bad("Linode must be powered off to reset its root password"));
    }
    start(tx, "password_reset", &instance, None, &Work::Password);
    Ok(json!({}))
}
