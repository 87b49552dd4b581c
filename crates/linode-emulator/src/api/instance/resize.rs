//! Another type, or another place.

use super::power::{ROOT_PASS, start};
use super::{disk, find, unless_busy};
use crate::api::catalog;
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field};
use crate::error::Errors;
use crate::job::Work;
use crate::store::{Kind, Record, State, Tx};
use serde_json::{Value, json};

const MIGRATIONS: Rule = Rule::OneOf(&["warm", "cold"]);
const RESIZE: &[Field] = &[
    field("type", Rule::Text(1, 64)).required(),
    field("allow_auto_disk_resize", Rule::Boolean),
    field("migration_type", MIGRATIONS),
    field("root_pass", ROOT_PASS),
];
const MIGRATE: &[Field] = &[
    field("region", Rule::Text(1, 64)),
    field("type", MIGRATIONS),
    field("upgrade", Rule::Boolean),
];

fn runs(instance: &Record) -> bool {
    instance.text("status") == "running"
}

pub(super) fn resize(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    let given = create(RESIZE, &call.body)?;
    let wanted = given.text("type").unwrap_or_default();
    let plan = catalog::plan(wanted)
        .ok_or_else(|| Errors::field("type", "A valid plan type by that ID was not found"))?;
    unless_busy(tx, &instance)?;
    if instance.text("type") == plan.id {
        return Err(Errors::field("type", "Linode is already of this type"));
    }
    // Left out it is on, as the API has it.
    let automatic = given.flag("allow_auto_disk_resize").unwrap_or(true);
    let resize_disks = automatic && only_disk(tx, &instance).is_some();
    let least = if resize_disks { least_mb(tx, &instance) } else { disk::used_mb(tx, instance.id) };
    if least > plan.disk_mb() {
        let reason = format!(
            "Linode has {least} MB of disks allocated, and {} has {} MB: resize or delete disks first",
            plan.id,
            plan.disk_mb()
        );
        return Err(Errors::field("type", reason));
    }
    let work = Work::Resize { plan: plan.id.to_owned(), resize_disks, boots: runs(&instance) };
    start(tx, "linode_resize", &instance, None, &work);
    Ok(json!({}))
}

/// The one disk that follows the type: with it there may be one swap disk, and nothing else.
pub(super) fn only_disk(state: &State, instance: &Record) -> Option<Record> {
    let disks: Vec<_> = state.of(Kind::Disk, instance.id).collect();
    let (swap, data): (Vec<_>, Vec<_>) =
        disks.into_iter().partition(|d| d.text("filesystem") == "swap");
    match (swap.len(), data.as_slice()) {
        (0 | 1, [one]) => Some(Record::clone(one)),
        _ => None,
    }
}

/// What a disk that follows cannot go below: its image, and the swap beside it.
fn least_mb(state: &State, instance: &Record) -> u64 {
    let swap = state.of(Kind::Disk, instance.id).filter(|d| d.text("filesystem") == "swap");
    let image = catalog::image(instance.text("image")).map_or(1, |image| image.size_mb);
    swap.map(|d| d.number("size")).sum::<u64>() + image
}

pub(super) fn migrate(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    let given = create(MIGRATE, &call.body)?;
    unless_busy(tx, &instance)?;
    let region = given.text("region").unwrap_or(instance.text("region")).to_owned();
    if catalog::region(&region).is_none() {
        return Err(Errors::field("region", "region is not valid"));
    }
    let elsewhere = region != instance.text("region");
    if elsewhere && tx.all(Kind::Volume).any(|v| v.number("linode_id") == instance.id) {
        return Err(Errors::field(
            "region",
            "Detach the Linode's volumes first: they stay in their region",
        ));
    }
    let action = if elsewhere { "linode_migrate_datacenter" } else { "linode_migrate" };
    start(tx, action, &instance, None, &Work::Migrate { region, boots: runs(&instance) });
    Ok(json!({}))
}
