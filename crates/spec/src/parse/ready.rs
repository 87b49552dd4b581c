//! `ready`: when a process can serve.

use super::app::command;
use super::check;
use super::reader::{Field, Reader, Table};
use crate::model::Ready;
use crate::units::parse_seconds;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use toml::de::DeValue;

const FORMS: &str = "write a path, { path = \"/up\", status = [200, 204] }, { tcp = true }, \
     { command = [\"…\"] } or false";

pub(super) fn read(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Ready> {
    match field.value {
        DeValue::Boolean(false) => return Some(Ready::None),
        DeValue::String(_) => return path(reader, field).map(|path| Ready::path(&path)),
        DeValue::Table(_) => {}
        _ => {
            reader.wrong_type(field, "string", FORMS);
            return None;
        }
    }
    let table = reader.table(field, FORMS)?;
    reader.known(&table, &["path", "status", "headers", "host", "tcp", "command"]);
    if let Some(field) = table.get("command") {
        alone(reader, &table, "command");
        return Some(Ready::Command(command(reader, &field)));
    }
    if let Some(field) = table.get("tcp") {
        alone(reader, &table, "tcp");
        if reader.boolean(&field)? {
            return Some(Ready::Tcp);
        }
        reader.error("invalid-ready", field.at(), "`tcp` can only be true", FORMS);
        return None;
    }
    let Some(path_field) = table.get("path") else {
        reader.missing(&table, "path", FORMS);
        return None;
    };
    Some(Ready::Path {
        path: path(reader, &path_field)?,
        status: table.get("status").map(|field| status(reader, &field)).unwrap_or_default(),
        headers: table.get("headers").map(|field| headers(reader, &field)).unwrap_or_default(),
        host: table.get("host").and_then(|field| {
            let host = reader.string(&field)?;
            let name = host.split_once(':').map_or(host, |(name, _)| name);
            if !check::is_host_name(name) {
                let message = format!("`{host}` is not a host's name");
                reader.error("invalid-domain", field.at(), message, "for example \"example.com\"");
            }
            Some(host.to_owned())
        }),
    })
}

/// One way of asking at a time.
fn alone(reader: &mut Reader<'_>, table: &Table<'_>, key: &str) {
    for (other, field) in table.fields_in_order() {
        if other != key {
            let message = format!("`{other}` means nothing beside `{key}`");
            reader.error("invalid-ready", field.at_key(), message, "leave one of the two out");
        }
    }
}

pub(super) fn path(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let path = reader.string(field)?;
    if !check::is_request_path(path) {
        let message = format!("`{path}` is not a path");
        let help =
            "for example \"/readyz\"; other characters are written as in a URL, %20 for a space";
        reader.error("invalid-path", field.at(), message, help);
    }
    Some(path.to_owned())
}

/// Statuses of HTTP, each once.
pub(super) fn status(reader: &mut Reader<'_>, field: &Field<'_>) -> Vec<u16> {
    let items = reader.array(field, "write numbers, for example [200, 204]");
    let mut all = Vec::new();
    for item in items {
        let status = reader.integer(&item, 100..=599).and_then(|status| u16::try_from(status).ok());
        all.extend(status.filter(|status| !all.contains(status)));
    }
    all
}

fn headers(reader: &mut Reader<'_>, field: &Field<'_>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let Some(table) = reader.table(field, "write { \"X-Name\" = \"value\" }") else { return all };
    for (name, field) in table.fields_in_order() {
        let Some(value) = reader.string(&field) else { continue };
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if name.is_empty() || !is_name || !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            let message = format!("`{name}: {value}` is not a header");
            let help = "letters, digits and hyphens, and a value in one line";
            reader.error("invalid-header", field.at(), message, help);
        } else if name.eq_ignore_ascii_case("host") {
            let help = "write host = \"…\" beside `headers`";
            reader.error("invalid-header", field.at_key(), "`Host` has a key of its own", help);
        }
        all.insert(name.to_owned(), value.to_owned());
    }
    all
}

/// A time in whole seconds.
pub(super) fn seconds(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    range: RangeInclusive<u64>,
) -> Option<u64> {
    let text = reader.string(field)?;
    let found = parse_seconds(text).filter(|seconds| range.contains(seconds));
    if found.is_none() {
        let message =
            format!("`{text}` is not a time from {} s to {} s", range.start(), range.end());
        reader.error("invalid-duration", field.at(), message, "for example \"60s\" or \"5m\"");
    }
    found
}
