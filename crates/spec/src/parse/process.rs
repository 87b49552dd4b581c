//! `[app.processes]`.

use super::app::{PLAIN_SETTINGS, command};
use super::check;
use super::reader::{Field, Reader, Table};
use crate::model::Process;
use crate::topology::ports;
use std::collections::BTreeMap;

pub(super) fn read_all(reader: &mut Reader<'_>, field: &Field<'_>) -> BTreeMap<String, Process> {
    let mut processes = BTreeMap::new();
    let help = "write [app.processes] and one line for each process below it";
    let Some(table) = reader.table(field, help) else { return processes };
    let mut listening = Vec::new();
    for (name, field) in table.fields_in_order() {
        if let Some(problem) = check::name_problem(name) {
            let help = "units and containers carry this name";
            reader.error("invalid-name", field.at_key(), format!("`{name}` {problem}"), help);
        }
        let help = "write { command = [\"…\"], port = 8080 }";
        let Some(table) = reader.table(&field, help) else { continue };
        let process = process(reader, &table);
        if let (Some(port), Some(field)) = (process.port, table.get("port")) {
            listening.push((port, table.path.clone(), field));
        }
        processes.insert(name.to_owned(), process);
    }
    for (index, (port, _, field)) in listening.iter().enumerate() {
        let earlier = listening.get(..index).unwrap_or_default();
        let owner = earlier.iter().find(|(other, ..)| other == port).map(|(_, path, _)| path);
        if let Some(owner) = owner {
            let message = format!("`{owner}` listens on port {port} already");
            let help = "all processes of a machine share its ports: choose another";
            reader.error("duplicate-port", field.at(), message, help);
        } else if let Some(what) = ports::beside_processes(*port) {
            taken(reader, field, what, &processes);
        }
    }
    processes
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

fn process(reader: &mut Reader<'_>, table: &Table<'_>) -> Process {
    reader.known_but(table, &["command", "port", "queue"], &[("env", PLAIN_SETTINGS)]);
    let mut process = Process { command: Vec::new(), port: None, queue: None };
    match table.get("command") {
        Some(field) => process.command = command(reader, &field),
        None => reader.missing(table, "command", "add command = [\"program\", \"argument\"]"),
    }
    process.port = table
        .get("port")
        .and_then(|field| reader.integer(&field, 1..=65_535))
        .and_then(|port| u16::try_from(port).ok());
    if let Some(field) = table.get("queue") {
        process.queue = reader.string(&field).map(str::to_owned);
    }
    process
}
