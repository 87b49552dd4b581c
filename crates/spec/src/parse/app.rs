//! `[app]` and its processes.

use super::reader::{Field, Reader, Table};
use super::{build, check, container, load, process, ready, secrets, variables};
use crate::defaults;
use crate::model::{App, AppSecret, Build, Container, Migrate, Ready, Variables};
use crate::reserved;
use std::collections::{BTreeMap, BTreeSet};

const KEYS: &[&str] = &[
    "source",
    "image",
    "build",
    "domain",
    "ready",
    "start",
    "prepare",
    "test",
    "migrate",
    "env",
    "env_file",
    "secrets",
    "files",
    "processes",
    "load",
];

pub(super) fn read(reader: &mut Reader<'_>, root: &Table<'_>) -> App {
    let mut app = App {
        source: String::new(),
        image: None,
        build: Build::default(),
        domain: String::new(),
        ready: Ready::path(defaults::READY),
        start_s: defaults::START_S,
        prepare: Vec::new(),
        test: Vec::new(),
        migrate: Migrate::None,
        env: Variables::new(),
        env_file: None,
        secrets: Vec::new(),
        files: Vec::new(),
        load: None,
        processes: BTreeMap::new(),
    };
    let Some(table) =
        root.get("app").and_then(|field| reader.table(&field, "write [app] and its keys below it"))
    else {
        return app;
    };
    let known: Vec<&str> = KEYS.iter().chain(container::KEYS).copied().collect();
    reader.known(&table, &known);
    if let Some(source) = table.get("source") {
        app.source = self::source(reader, &source);
    }
    app.image = table.get("image").and_then(|field| build::image(reader, &field));
    if let Some(field) = table.get("build") {
        app.build = build::read(reader, &field);
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
    if let Some(field) = table.get("ready") {
        app.ready = ready::read(reader, &field).unwrap_or(app.ready);
    }
    if let Some(field) = table.get("start") {
        app.start_s = ready::seconds(reader, &field, 1..=3_600).unwrap_or(app.start_s);
    }
    for (key, into) in [("prepare", &mut app.prepare), ("test", &mut app.test)] {
        if let Some(field) = table.get(key) {
            *into = command(reader, &field);
        }
    }
    if let Some(field) = table.get("migrate") {
        app.migrate = migrate(reader, &field);
    }
    variables::read_into(reader, &table, &mut app.env);
    app.env_file = table.get("env_file").and_then(|field| secrets::file(reader, &field));
    app.secrets = secrets::read(reader, &table);
    // A secret of the build's is nobody's variable, and Andamio cannot make one up.
    for name in &app.build.secrets {
        if app.secrets.iter().all(|known| known.name != *name) {
            let (name, processes) = (name.clone(), Some(Vec::new()));
            app.secrets.push(AppSecret { name, given: true, file: None, processes });
        }
    }
    app.files = files(reader, &table);
    let mut whole = Container::default();
    container::read_into(reader, &table, &mut whole);
    app.load = table.get("load").and_then(|field| load::read(reader, &field));
    if let Some(field) = table.get("processes") {
        app.processes = process::read_all(reader, &field, &whole);
    }
    app
}

/// Words that get `up`, `status` or `down` behind them, or each command as it is written.
fn migrate(reader: &mut Reader<'_>, field: &Field<'_>) -> Migrate {
    if !field.value.is_table() {
        return Migrate::Verb(command(reader, field));
    }
    let Some(table) = reader.table(field, "") else { return Migrate::None };
    let keys = ["up", "status", "down", "contract"];
    reader.known(&table, &keys);
    if !table.has("up") {
        reader.missing(&table, "up", "add up = [\"program\", \"argument\"]");
    }
    let [up, status, down, contract] =
        keys.map(|key| table.get(key).map(|field| command(reader, &field)).unwrap_or_default());
    Migrate::Commands { up, status, down, contract }
}

/// `files` of a table.
pub(super) fn files(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<String> {
    let Some(field) = table.get("files") else { return Vec::new() };
    each(reader, &field, |path| {
        check::absolute_path_problem(path).or_else(|| reserved::kept_path_problem(path))
    })
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
pub(super) fn command(reader: &mut Reader<'_>, field: &Field<'_>) -> Vec<String> {
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
    problem: impl Fn(&str) -> Option<&'static str>,
) -> Vec<String> {
    let mut values = Vec::new();
    let mut seen = BTreeSet::new();
    for (text, item) in reader.strings(field) {
        if let Some(problem) = problem(text) {
            let help = "write an absolute path in the container, like \"/data/exports\"";
            reader.error("invalid-path", item.at(), format!("`{text}` {problem}"), help);
        } else if !seen.insert(text) {
            let message = format!("`{text}` is here already");
            reader.error("duplicate", item.at(), message, "leave one of the two out");
        }
        values.push(text.to_owned());
    }
    values
}
