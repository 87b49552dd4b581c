//! `secrets` of an application or a process.

use super::check;
use super::reader::{Field, Reader, Table};
use crate::model::AppSecret;
use crate::reserved;
use std::collections::BTreeSet;

const FORM: &str = "write \"NAME\" or { name = \"NAME\", given = true }";

/// `secrets` of a table.
pub(super) fn read(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<AppSecret> {
    let Some(field) = table.get("secrets") else { return Vec::new() };
    let mut secrets: Vec<AppSecret> = Vec::new();
    for item in reader.array(&field, "write an array, for example [\"SESSION_KEY\"]") {
        let Some(secret) = secret(reader, &item) else { continue };
        if secrets.iter().any(|known| known.name == secret.name) {
            let message = format!("`{}` is here already", secret.name);
            reader.error("duplicate", item.at(), message, "leave one of the two out");
        }
        secrets.push(secret);
    }
    secrets
}

fn secret(reader: &mut Reader<'_>, item: &Field<'_>) -> Option<AppSecret> {
    if !item.value.is_table() {
        let name = reader.string(item)?;
        check_name(reader, item, name, true);
        return Some(AppSecret {
            name: name.to_owned(),
            given: false,
            file: None,
            processes: None,
        });
    }
    let table = reader.table(item, FORM)?;
    reader.known(&table, &["name", "given", "file", "processes"]);
    let Some(field) = table.get("name") else {
        reader.missing(&table, "name", FORM);
        return None;
    };
    let name = reader.string(&field)?;
    check_name(reader, &field, name, !table.has("file"));
    Some(AppSecret {
        name: name.to_owned(),
        given: table.get("given").and_then(|field| reader.boolean(&field)).unwrap_or(false),
        file: table.get("file").and_then(|field| file(reader, &field)),
        processes: table.get("processes").map(|field| {
            reader.strings(&field).into_iter().map(|(name, _)| name.to_owned()).collect()
        }),
    })
}

fn check_name(reader: &mut Reader<'_>, field: &Field<'_>, name: &str, variable: bool) {
    let problem = if !check::is_variable(name) {
        "is not the name of an environment variable"
    } else if reserved::is_own_secret(name) {
        "begins as the names of Andamio's own passwords do"
    } else if variable && reserved::is_own_variable(name) {
        "is a variable that Andamio sets itself"
    } else {
        return;
    };
    let help = match problem.contains("Andamio") {
        true => "give it another name, and read that one",
        false => "letters, digits, underscores and dots, like \"SESSION_KEY\"",
    };
    reader.error("invalid-variable", field.at(), format!("`{name}` {problem}"), help);
}

/// Where it is a file in the container.
pub(super) fn file(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let path = reader.string(field)?;
    let problem = check::absolute_path_problem(path).or_else(|| reserved::kept_path_problem(path));
    if let Some(problem) = problem {
        let help = "write the path of a file in the container, like \"/run/secrets/key\"";
        reader.error("invalid-path", field.at(), format!("`{path}` {problem}"), help);
    }
    Some(path.to_owned())
}

/// Secrets are for processes that there are, and two files have two paths.
pub(super) fn check(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    secrets: &[AppSecret],
    processes: &[&str],
) {
    let Some(items) = table.get("secrets").filter(|field| field.value.is_array()) else { return };
    let mut paths = BTreeSet::new();
    for item in reader.array(&items, "") {
        let name = item.child("name").and_then(|name| name.value.as_str());
        let Some(secret) = secrets.iter().find(|secret| Some(secret.name.as_str()) == name) else {
            continue;
        };
        if let Some(path) = &secret.file
            && !paths.insert(path)
        {
            let message = format!("another secret is the file `{path}` already");
            reader.error("duplicate", item.at(), message, "give one of the two another path");
        }
        for name in secret.processes.iter().flatten() {
            if !processes.contains(&name.as_str()) {
                let message = format!("no process `{name}`");
                reader.unknown("unknown-process", item.at(), &message, name, processes);
            }
        }
    }
}
