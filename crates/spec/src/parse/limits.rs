//! `limits` of an environment against what it declares.

use super::cross::Entry;
use super::reader::Reader;
use crate::finding::Severity;
use crate::limits::{
    counts, most_counts, never_reached, storage_bytes, too_large, transfer_over_budget,
};
use crate::model::{Environment, Place, Spec};
use crate::price;
use crate::units::{TB, format_bytes};

pub(super) fn check(reader: &mut Reader<'_>, spec: &Spec, env: &Environment, entry: &Entry<'_>) {
    machines(reader, env, entry);
    storage(reader, env, entry);
    if let Some((group, message)) = too_large(env)
        && let Some(field) = entry.get(&["limits", "size"])
    {
        let help = format!("raise it, or set a smaller `size` in {group}");
        reader.error("limit-size", field.at(), message, help);
    }
    // Nobody here knows the network of servers that exist already.
    if let Some(Place::Hosts { .. }) = spec.places.get(&env.on) {
        return;
    }
    if let Some(message) = never_reached(env)
        && let Some(field) = entry.get(&["limits", "bandwidth"])
    {
        let help = "lower it, or leave it out: machines cannot send more anyway";
        reader.error("limit-bandwidth", field.at(), message, help);
    }
    transfer(reader, spec, env, entry);
}

fn machines(reader: &mut Reader<'_>, env: &Environment, entry: &Entry<'_>) {
    let (now, most) = (counts(env), most_counts(env));
    let (machines, most_machines) = (now.values().sum::<u32>(), most.values().sum::<u32>());
    if let Some(limit) = env.limits.machines
        && let Some(field) = entry.get(&["limits", "machines"])
    {
        if limit < machines {
            let message = format!("the limit is {limit} machines, and {machines} are declared");
            let help = format!("raise it to at least {most_machines} or declare fewer machines");
            reader.error("limit-machines", field.at(), message, help);
        } else if limit < most_machines {
            let message = format!("the limit of {limit} machines stops growth before `max`");
            let help = format!("with every group at its `max` there are {most_machines}");
            reader.report(Severity::Warning, "limit-max", field.at(), message, help);
        }
    }
}

fn storage(reader: &mut Reader<'_>, env: &Environment, entry: &Entry<'_>) {
    let bytes = storage_bytes(env, &counts(env));
    let most_bytes = storage_bytes(env, &most_counts(env));
    if let Some(limit) = env.limits.storage_bytes
        && let Some(field) = entry.get(&["limits", "storage"])
    {
        let (shown, needed) = (format_bytes(limit), format_bytes(bytes));
        if limit < bytes {
            let message = format!("the limit is {shown}, and the machines' disks are {needed}");
            let help = format!("raise it to at least {} or set `disk`", format_bytes(most_bytes));
            reader.error("limit-storage", field.at(), message, help);
        } else if limit < most_bytes {
            let message = format!("the limit of {shown} stops growth before `max`");
            let help =
                format!("with every group at its `max` {} are needed", format_bytes(most_bytes));
            reader.report(Severity::Warning, "limit-max", field.at(), message, help);
        }
    }
}

/// What is sent beyond the pool is paid by the GB.
fn transfer(reader: &mut Reader<'_>, spec: &Spec, env: &Environment, entry: &Entry<'_>) {
    let Some(field) = entry.get(&["limits", "transfer"]) else { return };
    let beyond = price::transfer_beyond(env);
    if let Some(message) = transfer_over_budget(env, spec.project.currency) {
        let help = "lower it or raise `budget`: the two cannot both hold";
        reader.error("limit-transfer", field.at(), message, help);
    } else if beyond > 0 {
        let included = format_bytes(price::pool_tb(env).saturating_mul(TB));
        let message = format!("{} of it are beyond the {included} included", format_bytes(beyond));
        let help = "at Linode each GB of that is paid; `andamio cost` has it in the most";
        reader.report(Severity::Warning, "limit-transfer", field.at(), message, help);
    }
}
