//! Variables of an application, an environment or a process: `env = { NAME = "value" }`.

use super::reader::{Field, Reader, Table};
use crate::model::{Environment, Spec, Variables};
use crate::names::suggest;
use crate::reserved;
use crate::variable::{self, Part};
use std::collections::BTreeSet;
use toml::de::DeValue;

/// Bytes of one: the kernel gives a process no variable of more than 128 KiB, its name included.
const MOST: usize = 100 * 1024;

/// `env` of a table, added to what is there.
pub(super) fn read_into(reader: &mut Reader<'_>, table: &Table<'_>, into: &mut Variables) {
    let Some(field) = table.get("env") else { return };
    let help = "write env = { NAME = \"value\" }, or a table of its own below it";
    let Some(table) = reader.table(&field, help) else { return };
    for (name, field) in table.fields_in_order() {
        if let Some(problem) = name_problem(name) {
            let help = "give it another name";
            reader.error("invalid-variable", field.at_key(), format!("`{name}` {problem}"), help);
        }
        if let Some(value) = value(reader, &field) {
            if let Err(problem) = variable::parts(&value) {
                let help = "for example {{ mariadb.host }}; docs/applications.md has all";
                reader.error("invalid-reference", field.at(), problem, help);
            }
            into.insert(name.to_owned(), value);
        }
    }
}

fn name_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Some("cannot be the name of a variable: none is empty or has `=` in it");
    }
    if name.trim() != name || name.contains(|c: char| c.is_control() || c == ',') {
        return Some("has a comma, a space at its end or a control character in it");
    }
    reserved::is_own_prefix(name).then_some("is a variable that Andamio sets itself")
}

/// Text as it is, also none; numbers and yes or no as they are written.
fn value(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = match field.value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(yes) => yes.to_string(),
        _ => {
            reader.wrong_type(field, "string", "write its text in quotes");
            return None;
        }
    };
    if text.contains('\0') {
        let help = "leave it out, or keep the value in a file of the image";
        reader.error("invalid-value", field.at(), "no variable can have a NUL byte in it", help);
        return None;
    }
    if text.len() > MOST {
        let message = format!("the value has {} bytes; a variable can have {MOST}", text.len());
        reader.error("invalid-value", field.at(), message, "keep it in a file of the image");
        return None;
    }
    Some(text)
}

/// Every reference stands for something in every environment that runs the application.
pub(super) fn check(reader: &mut Reader<'_>, root: &Table<'_>, spec: &Spec) {
    for env in &spec.environments {
        if env.groups.contains_key(&crate::model::Group::App) {
            check_in(reader, root, &spec.in_environment(&env.name), env);
        }
    }
}

fn check_in(reader: &mut Reader<'_>, root: &Table<'_>, spec: &Spec, env: &Environment) {
    let groups: BTreeSet<_> = env.groups.keys().copied().collect();
    let mut places: Vec<Option<Field<'_>>> = Vec::new();
    let app = root.get("app");
    let own = root.get("environments").and_then(|all| all.child(&env.name));
    for whose in [app, own] {
        let env = whose.as_ref().and_then(|field| field.child("env"));
        places.push(env);
        let processes = whose.and_then(|field| field.child("processes"));
        let names = spec.app.processes.keys();
        places.extend(names.map(|name| processes.as_ref()?.child(name)?.child("env")));
    }
    for field in places.into_iter().flatten() {
        let Some(table) = field.value.as_table() else { continue };
        let table = Table::new(table, field.path.clone(), field.span.clone());
        for (_, field) in table.fields_in_order() {
            let Some(text) = field.value.as_str() else { continue };
            for part in variable::parts(text).unwrap_or_default() {
                let Part::Reference { name, .. } = part else { continue };
                let Some((why, known)) = variable::problem(name, spec, &groups) else { continue };
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let help = suggest(name, &known).map_or_else(
                    || format!("possible: {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                let message = format!("{{{{ {name} }}}}: `{}` {why}", env.name);
                reader.error("unknown-reference", field.at(), message, help);
            }
        }
    }
}
