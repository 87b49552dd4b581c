//! `[app]` and its processes.

use super::check;
use super::reader::{Field, Reader, Table};
use crate::defaults;
use crate::model::{App, Process};
use std::collections::{BTreeMap, BTreeSet};

const KEYS: &[&str] =
    &["source", "domain", "ready", "prepare", "test", "migrate", "secrets", "files", "processes"];

pub(super) fn read(reader: &mut Reader<'_>, root: &Table<'_>) -> App {
    let mut app = App {
        source: String::new(),
        domain: String::new(),
        ready: defaults::READY.to_owned(),
        prepare: Vec::new(),
        test: Vec::new(),
        migrate: Vec::new(),
        secrets: Vec::new(),
        files: Vec::new(),
        processes: BTreeMap::new(),
    };
    let Some(table) =
        root.get("app").and_then(|field| reader.table(&field, "write [app] and its keys below it"))
    else {
        return app;
    };
    reader.known(&table, KEYS);
    if let Some(source) = table.get("source") {
        app.source = self::source(reader, &source);
    }
    if let Some(field) = table.get("domain")
        && let Some(domain) = reader.string(&field)
    {
        if !check::is_domain(domain) {
            let help = "write a name without scheme and path, for example \"ficharfirm.example\"";
            let message = format!("`{domain}` is not a domain");
            reader.error("invalid-domain", field.at(), message, help);
        }
        app.domain = domain.to_owned();
    }
    if let Some(field) = table.get("ready")
        && let Some(ready) = reader.string(&field)
    {
        if !ready.starts_with('/') || ready.contains(char::is_whitespace) {
            let message = format!("`{ready}` is not a path");
            reader.error("invalid-path", field.at(), message, "for example \"/readyz\"");
        }
        app.ready = ready.to_owned();
    }
    for (key, into) in
        [("prepare", &mut app.prepare), ("test", &mut app.test), ("migrate", &mut app.migrate)]
    {
        if let Some(field) = table.get(key) {
            *into = command(reader, &field);
        }
    }
    if let Some(field) = table.get("secrets") {
        app.secrets = each(reader, &field, "invalid-variable", |name| {
            (!check::is_variable(name)).then_some("is not the name of an environment variable")
        });
    }
    if let Some(field) = table.get("files") {
        app.files = each(reader, &field, "invalid-path", check::absolute_path_problem);
    }
    if let Some(field) = table.get("processes") {
        app.processes = processes(reader, &field);
    }
    app
}

/// A folder inside the project.
fn source(reader: &mut Reader<'_>, field: &Field<'_>) -> String {
    let Some(source) = reader.string(field) else { return String::new() };
    if source.starts_with('/') || source.split('/').any(|part| part == "..") {
        let message = format!("`{source}` lies outside of the project");
        let help = "write a folder below the one that holds andamio.toml";
        reader.error("invalid-path", field.at(), message, help);
    }
    source.to_owned()
}

/// Program and arguments.
fn command(reader: &mut Reader<'_>, field: &Field<'_>) -> Vec<String> {
    if field.value.as_array().is_some_and(|array| array.is_empty()) {
        let message = format!("`{}` is empty", field.name());
        let help = "write program and arguments, for example [\"ficharfirm\", \"web\"]";
        reader.error("empty", field.at(), message, help);
    }
    reader.strings(field).into_iter().map(|(word, _)| word.to_owned()).collect()
}

/// Strings that pass a check, each once.
fn each(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    code: &'static str,
    problem: impl Fn(&str) -> Option<&'static str>,
) -> Vec<String> {
    let mut values = Vec::new();
    let mut seen = BTreeSet::new();
    for (text, item) in reader.strings(field) {
        if let Some(problem) = problem(text) {
            let help = match code {
                "invalid-path" => "write an absolute path in the container, like \"/data/exports\"",
                _ => "capital letters, digits and underscores, like \"SESSION_KEY\"",
            };
            reader.error(code, item.at(), format!("`{text}` {problem}"), help);
        } else if !seen.insert(text) {
            let message = format!("`{text}` is here already");
            reader.error("duplicate", item.at(), message, "leave one of the two out");
        }
        values.push(text.to_owned());
    }
    values
}

fn processes(reader: &mut Reader<'_>, field: &Field<'_>) -> BTreeMap<String, Process> {
    let mut processes = BTreeMap::new();
    let mut ports = BTreeMap::new();
    let help = "write [app.processes] and one line for each process below it";
    let Some(table) = reader.table(field, help) else { return processes };
    for (name, field) in table.fields_in_order() {
        if let Some(problem) = check::name_problem(name) {
            let help = "units and containers carry this name";
            reader.error("invalid-name", field.at_key(), format!("`{name}` {problem}"), help);
        }
        let help = "write { command = [\"…\"], port = 8080 }";
        let Some(table) = reader.table(&field, help) else { continue };
        let process = process(reader, &table, &mut ports);
        processes.insert(name.to_owned(), process);
    }
    processes
}

fn process(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    ports: &mut BTreeMap<u16, String>,
) -> Process {
    reader.known(table, &["command", "port", "queue"]);
    let mut process = Process { command: Vec::new(), port: None, queue: None };
    match table.get("command") {
        Some(field) => process.command = command(reader, &field),
        None => reader.missing(table, "command", "add command = [\"program\", \"argument\"]"),
    }
    if let Some(field) = table.get("port")
        && let Some(port) = reader.integer(&field, 1..=65_535)
        && let Ok(port) = u16::try_from(port)
    {
        match ports.get(&port) {
            Some(owner) => {
                let message = format!("`{owner}` listens on port {port} already");
                let help = "all processes of a machine share its ports: choose another";
                reader.error("duplicate-port", field.at(), message, help);
            }
            None => drop(ports.insert(port, table.path.clone())),
        }
        process.port = Some(port);
    }
    if let Some(field) = table.get("queue") {
        process.queue = reader.string(&field).map(str::to_owned);
    }
    process
}
