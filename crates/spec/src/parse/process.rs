//! `[app.processes]`, and what environments say of them.

use super::app::{command, files};
use super::reader::{Field, Reader, Table};
use super::{check, container, ready, secrets, variables};
use crate::model::{Container, Process, Variables};
use crate::topology::ports;
use std::collections::BTreeMap;

const KEYS: &[&str] =
    &["command", "arguments", "port", "queue", "ready", "start", "env", "secrets", "files"];

/// `whole`: what containers may do and have where a process says nothing.
pub(super) fn read_all(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    whole: &Container,
) -> BTreeMap<String, Process> {
    let mut processes = BTreeMap::new();
    let help = "write [app.processes] and one line for each process below it";
    let Some(table) = reader.table(field, help) else { return processes };
    for (name, field) in table.fields_in_order() {
        if let Some(problem) = check::name_problem(name) {
            let help = "units and containers carry this name";
            reader.error("invalid-name", field.at_key(), format!("`{name}` {problem}"), help);
        }
        let process = Process {
            command: Vec::new(),
            arguments: Vec::new(),
            port: None,
            queue: None,
            ready: None,
            start_s: None,
            env: Variables::new(),
            secrets: Vec::new(),
            files: Vec::new(),
            container: whole.clone(),
        };
        let help = "write { port = 8080 }, and command = [\"…\"] where it is not the image's own";
        let Some(table) = reader.table(&field, help) else { continue };
        processes.insert(name.to_owned(), read(reader, &table, process));
    }
    ports(reader, &table, &processes);
    processes
}

/// What an environment says of processes, on top of what the application says of them.
pub(super) fn read_changes(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    processes: &BTreeMap<String, Process>,
) -> BTreeMap<String, Process> {
    let mut changed = BTreeMap::new();
    let help = "write { web = { env = { … } } }";
    let Some(table) = reader.table(field, help) else { return changed };
    for (name, field) in table.fields_in_order() {
        let Some(process) = processes.get(name) else {
            let names: Vec<&str> = processes.keys().map(String::as_str).collect();
            let message = format!("[app.processes] has no `{name}`");
            reader.unknown("unknown-process", field.at_key(), &message, name, &names);
            continue;
        };
        let Some(table) = reader.table(&field, help) else { continue };
        changed.insert(name.to_owned(), read(reader, &table, process.clone()));
    }
    ports(reader, &table, &changed);
    changed
}

/// Two processes of a machine cannot have one port.
fn ports(reader: &mut Reader<'_>, table: &Table<'_>, processes: &BTreeMap<String, Process>) {
    let listening: Vec<(&str, u16, Field<'_>)> = table
        .fields_in_order()
        .into_iter()
        .filter_map(|(name, field)| Some((name, processes.get(name)?.port?, field.child("port")?)))
        .collect();
    for (index, (_, port, field)) in listening.iter().enumerate() {
        let earlier = listening.get(..index).unwrap_or_default();
        if let Some((name, ..)) = earlier.iter().find(|(_, other, _)| other == port) {
            let message = format!("`{}` listens on port {port} already", table.path_of(name));
            let help = "all processes of a machine share its ports: choose another";
            reader.error("duplicate-port", field.at(), message, help);
        } else if let Some(what) = ports::beside_processes(*port) {
            taken(reader, field, what, processes);
        }
    }
}

/// A port of Andamio's own, with one that is free.
pub(super) fn taken(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    what: &str,
    processes: &BTreeMap<String, Process>,
) {
    let is_free = |port: &u16| {
        ports::beside_processes(*port).is_none()
            && processes.values().all(|process| process.port != Some(*port))
    };
    let free = (8080..=u16::MAX).find(is_free).unwrap_or(8080);
    let port = field.value.as_integer().map_or("", |port| port.as_str());
    let message = format!("port {port} of the machine is taken: {what}");
    reader.error("reserved-port", field.at(), message, format!("choose another: {free} is free"));
}

/// Sets what the table says.
fn read(reader: &mut Reader<'_>, table: &Table<'_>, mut process: Process) -> Process {
    let known: Vec<&str> = KEYS.iter().chain(container::KEYS).copied().collect();
    reader.known(table, &known);
    if let Some(field) = table.get("command") {
        process.command = command(reader, &field);
    }
    if let Some(field) = table.get("arguments") {
        process.arguments = command(reader, &field);
        if table.has("command") {
            let help = "put the words at the end of `command`, or leave `command` out: then they are \
                        arguments of the image's own entry point";
            reader.error(
                "invalid-command",
                field.at_key(),
                "`arguments` stands beside `command`",
                help,
            );
        }
    }
    if let Some(field) = table.get("port") {
        let port = reader.integer(&field, 1..=65_535);
        process.port = port.and_then(|port| u16::try_from(port).ok());
    }
    if let Some(field) = table.get("queue") {
        process.queue = reader.string(&field).map(str::to_owned);
    }
    if let Some(field) = table.get("ready") {
        process.ready = ready::read(reader, &field);
    }
    if let Some(field) = table.get("start") {
        process.start_s = ready::seconds(reader, &field, 1..=3_600);
    }
    variables::read_into(reader, table, &mut process.env);
    if table.has("secrets") {
        process.secrets = secrets::read(reader, table);
    }
    if table.has("files") {
        process.files = files(reader, table);
    }
    container::read_into(reader, table, &mut process.container);
    process
}
