//! What an instance looks like while something is done to it, and what it is afterwards.

use super::resize::only_disk;
use super::{disk, erase, power};
use crate::api::catalog;
use crate::event;
use crate::job::{Job, Work};
use crate::store::{Key, Kind, Record, Tx};
use serde_json::json;

/// The status while the work is under way; none for what does not show.
fn during(work: &Work) -> Option<&'static str> {
    Some(match work {
        Work::Provision { .. } => "provisioning",
        Work::Boot { .. } => "booting",
        Work::Reboot { .. } => "rebooting",
        Work::Shutdown => "shutting_down",
        Work::Resize { .. } => "resizing",
        Work::Migrate { .. } => "migrating",
        Work::Rebuild { .. } => "rebuilding",
        Work::Delete => "deleting",
        _ => return None,
    })
}

pub(crate) fn begin(tx: &mut Tx<'_>, job: &Job) {
    if let Some(status) = during(&job.work) {
        status_of(tx, job.subject, status);
    }
}

/// An instance that is being deleted stays that, whatever else was still to be done to it.
fn status_of(tx: &mut Tx<'_>, id: u64, status: &str) {
    tx.change(Kind::Instance, Key { parent: 0, id }, |instance| {
        if instance.text("status") != "deleting" {
            instance.set("status", status);
            instance.set("updated", event::now());
        }
    });
}

/// A failure leaves it off, and everything else as it was.
pub(crate) fn finish(tx: &mut Tx<'_>, job: &Job, outcome: Result<(), &str>) {
    let id = job.subject;
    let Some(instance) = tx.get(Kind::Instance, 0, id).cloned() else { return };
    if outcome.is_err() {
        if during(&job.work).is_some() {
            status_of(tx, id, "offline");
        }
        return;
    }
    match &job.work {
        Work::Provision { boots } | Work::Rebuild { boots } => {
            disk::ready(tx, id);
            settle(tx, &instance, *boots);
        }
        Work::Boot { config } | Work::Reboot { config } => {
            tx.change(Kind::Instance, instance.key(), |record| {
                record.hide("booted_config", config.unwrap_or_default());
            });
            status_of(tx, id, "running");
        }
        Work::Shutdown => status_of(tx, id, "offline"),
        Work::Resize { plan, resize_disks, boots } => {
            retype(tx, &instance, plan, *resize_disks);
            settle(tx, &instance, *boots);
        }
        Work::Migrate { region, boots } => {
            relocate(tx, &instance, region);
            settle(tx, &instance, *boots);
        }
        Work::Delete => erase(tx, &instance),
        Work::DiskCreate { disk } => disk::created(tx, id, *disk),
        Work::DiskResize { disk, size } => disk::resized(tx, id, *disk, *size),
        Work::DiskDelete { disk } => disk::deleted(tx, id, *disk),
        _ => {}
    }
}

/// Off, and then booting where it has to.
fn settle(tx: &mut Tx<'_>, instance: &Record, boots: bool) {
    status_of(tx, instance.id, "offline");
    let deleting = instance.text("status") == "deleting";
    if let (true, false, Ok(config)) = (boots, deleting, power::config(tx, instance, None)) {
        power::start(tx, "linode_boot", instance, config, &Work::Boot { config });
        status_of(tx, instance.id, "booting");
    }
}

fn retype(tx: &mut Tx<'_>, instance: &Record, plan: &str, resize_disks: bool) {
    let Some(plan) = catalog::plan(plan) else { return };
    if let (true, Some(disk)) = (resize_disks, only_disk(tx, instance)) {
        let beside = disk::used_mb(tx, instance.id).saturating_sub(disk.number("size"));
        disk::resized(tx, instance.id, disk.id, plan.disk_mb().saturating_sub(beside));
    }
    tx.change(Kind::Instance, instance.key(), |record| {
        record.set("type", plan.id);
        record.set("specs", specs(plan));
    });
}

pub(super) fn specs(plan: &catalog::Plan) -> serde_json::Value {
    json!({
        "disk": plan.disk_mb(),
        "memory": plan.memory_mb(),
        "vcpus": plan.vcpus,
        "gpus": 0,
        "transfer": plan.transfer_gb(),
        "accelerated_devices": 0,
    })
}

fn relocate(tx: &mut Tx<'_>, instance: &Record, region: &str) {
    tx.change(Kind::Instance, instance.key(), |record| record.set("region", region));
    let ips: Vec<Key> = tx.of(Kind::Ip, instance.id).map(|ip| ip.key()).collect();
    for key in ips {
        tx.change(Kind::Ip, key, |ip| ip.set("region", region));
    }
}
