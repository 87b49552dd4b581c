//! `[environments.*]`.

use super::check;
use super::reader::{Field, Reader, Table};
use super::{group, process, tls, variables};
use crate::defaults;
use crate::model::{App, Environment, Group, Limits, Tls, Variables, Window};
use crate::topology::Network;
use crate::units::{parse_bandwidth, parse_bytes, parse_transfer};

const KEYS: &[&str] = &[
    "on",
    "branch",
    "env",
    "processes",
    "tls",
    "window",
    "approve",
    "limits",
    "budget",
    "network",
];
const APPROVABLE: &[&str] =
    &["up", "down", "deploy", "rollback", "promote", "restore", "drill", "scale", "maintain"];
/// A team has three; each costs a look at all others.
const MOST: usize = 50;

pub(super) fn read_all(
    reader: &mut Reader<'_>,
    root: &Table<'_>,
    places: &[String],
    app: &App,
) -> Vec<Environment> {
    let help = "write [environments.NAME] and its keys below it";
    let Some(field) = root.get("environments") else {
        let help = "add [environments.dev] with app = { machines = 1 }";
        reader.missing(root, "environments", help);
        return Vec::new();
    };
    let Some(table) = reader.table(&field, help) else { return Vec::new() };
    let fields = table.fields_in_order();
    if fields.is_empty() {
        let help = "add [environments.dev] with app = { machines = 1 }";
        reader.error("no-environment", table.at(), "there is no environment", help);
    }
    if let Some((_, field)) = fields.get(MOST) {
        let message = format!("{} environments are more than the {MOST} possible", fields.len());
        let help = "keep further ones in a file of their own and pass it with -f";
        reader.error("too-many-environments", field.at_key(), message, help);
    }
    let mut environments = Vec::new();
    for (name, field) in fields.into_iter().take(MOST) {
        if let Some(problem) = check::name_problem(name) {
            let help = "for example \"dev\"; machines and labels carry this name";
            reader.error("invalid-name", field.at_key(), format!("`{name}` {problem}"), help);
        }
        if let Some(table) = reader.table(&field, help) {
            environments.push(read(reader, name, &table, places, app));
        }
    }
    environments
}

fn read(
    reader: &mut Reader<'_>,
    name: &str,
    table: &Table<'_>,
    places: &[String],
    app: &App,
) -> Environment {
    known(reader, table);
    let mut env = Variables::new();
    variables::read_into(reader, table, &mut env);
    let processes = table.get("processes");
    let processes = processes.map(|field| process::read_changes(reader, &field, &app.processes));
    let groups = group::read_all(reader, table);
    if groups.is_empty() && !Group::ALL.iter().any(|group| table.has(group.as_str())) {
        let help = "add at least one service, for example app = { machines = 1 }";
        let message = format!("`{name}` has no machines");
        reader.error("no-machines", table.at(), message, help);
    }
    Environment {
        name: name.to_owned(),
        on: table
            .get("on")
            .and_then(|field| on(reader, &field, places))
            .unwrap_or_else(|| defaults::PLACE.to_owned()),
        branch: table.get("branch").and_then(|field| branch(reader, &field)),
        groups,
        env,
        processes: processes.unwrap_or_default(),
        tls: table.get("tls").and_then(|field| tls::read(reader, &field)).unwrap_or(Tls::Off),
        window: table
            .get("window")
            .and_then(|field| window(reader, &field))
            .unwrap_or(defaults::WINDOW),
        approve: table.get("approve").map(|field| approve(reader, &field)).unwrap_or_default(),
        limits: table.get("limits").map_or(defaults::LIMITS, |field| limits(reader, &field)),
        budget: table.get("budget").and_then(|field| {
            let budget = reader.integer(&field, 0..=i64::from(u32::MAX))?;
            u32::try_from(budget).ok()
        }),
        network: table.get("network").and_then(|field| network(reader, &field)),
    }
}

/// A table that is no key of an environment is a service that does not exist.
fn known(reader: &mut Reader<'_>, table: &Table<'_>) {
    let services = Group::ALL.map(Group::as_str);
    let all: Vec<&str> = KEYS.iter().copied().chain(services).collect();
    for (name, field) in table.fields_in_order() {
        if all.contains(&name) {
            continue;
        }
        if field.value.is_table() {
            let message = format!("no service `{name}`");
            reader.unknown("unknown-service", field.at_key(), &message, name, &services);
        } else {
            let message = format!("no key `{name}` here");
            reader.unknown("unknown-key", field.at_key(), &message, name, &all);
        }
    }
}

fn on(reader: &mut Reader<'_>, field: &Field<'_>, places: &[String]) -> Option<String> {
    let place = reader.string(field)?;
    if !places.iter().any(|known| known == place) {
        if place == "hosts" {
            let help = "add [places.hosts] with machines = [{ address = \"…\", groups = [\"…\"] }]";
            let message = "`hosts` needs its list of machines";
            reader.error("unknown-place", field.at(), message, help);
            return None;
        }
        let known: Vec<&str> = places.iter().map(String::as_str).collect();
        let message = format!("no place `{place}`");
        reader.unknown("unknown-place", field.at(), &message, place, &known);
        return None;
    }
    Some(place.to_owned())
}

fn branch(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let branch = reader.string(field)?;
    // The part of git-check-ref-format that people get wrong.
    let bad = branch
        .contains(|c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c))
        || branch.contains("..")
        || branch.starts_with(['-', '/'])
        || branch.ends_with(['/', '.']);
    if bad {
        let message = format!("`{branch}` is not the name of a branch");
        reader.error("invalid-branch", field.at(), message, "for example \"main\"");
    }
    Some(branch.to_owned())
}

fn window(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Window> {
    match reader.string(field)?.parse() {
        Ok(window) => Some(window),
        Err(error) => {
            let error: crate::window::WindowError = error;
            let help = "\"always\", \"Sat..Sun\", \"02:00..04:00 UTC\" or \
                        \"Sat..Sun 02:00..04:00 UTC\"";
            reader.error("invalid-window", field.at(), error.to_string(), help);
            None
        }
    }
}

fn approve(reader: &mut Reader<'_>, field: &Field<'_>) -> Vec<String> {
    let mut actions: Vec<String> = Vec::new();
    for (action, item) in reader.strings(field) {
        if !APPROVABLE.contains(&action) {
            let message = format!("nothing called `{action}` can be approved");
            reader.unknown("unknown-action", item.at(), &message, action, APPROVABLE);
        } else if actions.iter().any(|other| other == action) {
            let message = format!("`{action}` is here already");
            reader.error("duplicate", item.at(), message, "leave one of the two out");
        } else {
            actions.push(action.to_owned());
        }
    }
    actions
}

fn limits(reader: &mut Reader<'_>, field: &Field<'_>) -> Limits {
    let mut limits = defaults::LIMITS;
    let help = "write { machines = 12, storage = \"400 GB\" }";
    let Some(table) = reader.table(field, help) else { return limits };
    reader.known(&table, &["machines", "size", "storage", "bandwidth", "transfer"]);
    if let Some(field) = table.get("machines") {
        limits.machines =
            reader.integer(&field, 1..=1_000).and_then(|machines| u32::try_from(machines).ok());
    }
    limits.size = table.get("size").and_then(|field| group::size(reader, &field));
    let mut quantity = |key, parse: fn(&str) -> Option<u64>, form| {
        let field = table.get(key)?;
        let text = reader.string(&field)?;
        let value = parse(text);
        if value.is_none() {
            let message = format!("`{text}` is not a quantity of {key}");
            reader.error("invalid-quantity", field.at(), message, format!("for example {form}"));
        }
        value
    };
    limits.storage_bytes = quantity("storage", parse_bytes, "\"400 GB\" or \"1 TB\"");
    limits.bandwidth_bits_per_s =
        quantity("bandwidth", parse_bandwidth, "\"200 Mbit/s\" or \"1 Gbit/s\"");
    limits.transfer_bytes = quantity("transfer", parse_transfer, "\"10 TB/month\"");
    limits
}

fn network(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Network> {
    let text = reader.string(field)?;
    match text.parse() {
        Ok(network) => Some(network),
        Err(error) => {
            let error: crate::topology::NetworkError = error;
            let help = "write a /24 of 198.18.0.0/15, for example \"198.18.40.0/24\"";
            reader.error("invalid-network", field.at(), error.to_string(), help);
            None
        }
    }
}
