//! `[app]` and its processes.

use super::reader::{Field, Reader, Table};
use super::{check, load, process};
use crate::defaults;
use crate::model::App;
use crate::reserved;
use std::collections::{BTreeMap, BTreeSet};

const KEYS: &[&str] = &[
    "source",
    "domain",
    "ready",
    "prepare",
    "test",
    "migrate",
    "secrets",
    "files",
    "processes",
    "load",
];

/// Plain settings have no key of their own: where they go instead.
pub(super) const PLAIN_SETTINGS: &str = "a setting that is the same everywhere goes into the Containerfile \
     (ENV NAME=\"value\"), one that each environment has its own of into `secrets` of [app] and \
     `andamio secret set ENV NAME`";

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
        load: None,
        processes: BTreeMap::new(),
    };
    let Some(table) =
        root.get("app").and_then(|field| reader.table(&field, "write [app] and its keys below it"))
    else {
        return app;
    };
    reader.known_but(&table, KEYS, &[("env", PLAIN_SETTINGS)]);
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
        if !check::is_request_path(ready) {
            let message = format!("`{ready}` is not a path");
            let help = "for example \"/readyz\"; other characters are written as in a URL, %20 for a space";
            reader.error("invalid-path", field.at(), message, help);
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
            if !check::is_variable(name) {
                return Some("is not the name of an environment variable");
            }
            if reserved::is_own_secret(name) {
                return Some("begins as the names of Andamio's own passwords do");
            }
            let own = reserved::is_own_variable(name);
            own.then_some("is a variable that Andamio sets itself")
        });
    }
    if let Some(field) = table.get("files") {
        app.files = each(reader, &field, "invalid-path", |path| {
            check::absolute_path_problem(path).or_else(|| reserved::kept_path_problem(path))
        });
    }
    app.load = table.get("load").and_then(|field| load::read(reader, &field));
    if let Some(field) = table.get("processes") {
        app.processes = process::read_all(reader, &field);
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
    code: &'static str,
    problem: impl Fn(&str) -> Option<&'static str>,
) -> Vec<String> {
    let mut values = Vec::new();
    let mut seen = BTreeSet::new();
    for (text, item) in reader.strings(field) {
        if let Some(problem) = problem(text) {
            let help = match code {
                "invalid-path" => "write an absolute path in the container, like \"/data/exports\"",
                _ if problem.contains("Andamio") => "give it another name, and read that one",
                _ => "letters, digits, underscores and dots, like \"SESSION_KEY\"",
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
