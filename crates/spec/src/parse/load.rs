//! `[app.load]`: what is asked of the application under load.

use super::app::command;
use super::check;
use super::reader::{Field, Reader};
use crate::model::{Load, LoadRequest};
use std::collections::BTreeMap;
use toml::de::DeValue;

const HELP: &str =
    "write { requests = [{ path = \"/\" }] }, or a program with the subcommands `seed` and `load`";
const KEYS: &[&str] = &["path", "method", "weight", "headers", "body", "status"];
/// More are no load that anybody reads.
const MOST: usize = 100;
/// What the client writes itself; another value would make requests that end nowhere.
const FRAMING: &[&str] =
    &["connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade"];

pub(super) fn read(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Load> {
    if matches!(field.value, DeValue::Array(_)) {
        return Some(Load::Program(command(reader, field)));
    }
    let table = reader.table(field, HELP)?;
    reader.known(&table, &["requests"]);
    let Some(list) = table.get("requests") else {
        reader.missing(&table, "requests", HELP);
        return None;
    };
    let items = reader.array(&list, "write an array of requests, for example [{ path = \"/\" }]");
    if items.is_empty() && matches!(list.value, DeValue::Array(_)) {
        let help = "name one at least: { path = \"/\" }";
        reader.error("empty", list.at(), "`requests` is empty", help);
    }
    if let Some(extra) = items.get(MOST) {
        let message = format!("{} requests; at most {MOST} are sent in turn", items.len());
        reader.error("out-of-range", extra.at(), message, "leave the rarer ones out");
    }
    let items = items.iter().take(MOST);
    Some(Load::Requests(items.filter_map(|item| request(reader, item)).collect()))
}

fn request(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<LoadRequest> {
    let table = reader.table(field, "write { path = \"/\" }")?;
    reader.known(&table, KEYS);
    let path = match table.get("path") {
        Some(field) => path(reader, &field),
        None => {
            reader.missing(&table, "path", "add path = \"/\"");
            String::new()
        }
    };
    let body = table.get("body").and_then(|field| reader.string(&field)).map(str::to_owned);
    let method = match table.get("method") {
        Some(field) => method(reader, &field),
        None if body.is_some() => "POST".to_owned(),
        None => "GET".to_owned(),
    };
    let weight = table.get("weight").and_then(|field| reader.integer(&field, 1..=1000));
    let headers = table.get("headers").map(|field| headers(reader, &field)).unwrap_or_default();
    let status = table.get("status").map(|field| status(reader, &field)).unwrap_or_default();
    let weight = weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1);
    Some(LoadRequest { path, method, weight, headers, body, status })
}

fn path(reader: &mut Reader<'_>, field: &Field<'_>) -> String {
    let Some(path) = reader.string(field) else { return String::new() };
    if !check::is_request_path(path) {
        let message = format!("`{path}` is not a path");
        let help = "for example \"/search?q=shoes\"; other characters are written as in a URL, %20 for a space";
        reader.error("invalid-path", field.at(), message, help);
    }
    path.to_owned()
}

fn method(reader: &mut Reader<'_>, field: &Field<'_>) -> String {
    let Some(method) = reader.string(field) else { return String::new() };
    // CONNECT asks a proxy for something else.
    let good = method.bytes().all(|b| b.is_ascii_uppercase()) && method.len() <= 20;
    if !good || method == "CONNECT" {
        let message = format!("`{method}` is not a method that can be sent");
        let help = "write it in capital letters: GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS";
        reader.error("invalid-method", field.at(), message, help);
    }
    method.to_owned()
}

fn headers(reader: &mut Reader<'_>, field: &Field<'_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    let help = "write { Accept = \"text/html\" }; names with other characters in quotes";
    let Some(table) = reader.table(field, help) else { return headers };
    for (name, field) in table.fields_in_order() {
        let Some(value) = reader.string(&field) else { continue };
        let lower = name.to_ascii_lowercase();
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            let message = format!("`{name}` is not the name of a header");
            let help = "letters, digits and hyphens, like \"Content-Type\"";
            reader.error("invalid-header", field.at_key(), message, help);
        } else if FRAMING.contains(&lower.as_str()) {
            let message = format!("`{name}` follows from the request");
            reader.error("invalid-header", field.at_key(), message, "leave it out");
        } else if !value.bytes().all(|b| b == b'\t' || (b' '..0x7f).contains(&b)) {
            let message = format!("the value of `{name}` has characters that no header has");
            let help = "a header is one line of ASCII";
            reader.error("invalid-header", field.at(), message, help);
        } else if headers.keys().any(|other: &String| other.eq_ignore_ascii_case(name)) {
            let message = format!("`{name}` is here already");
            reader.error("duplicate", field.at_key(), message, "leave one of the two out");
        }
        headers.insert(name.to_owned(), value.to_owned());
    }
    headers
}

fn status(reader: &mut Reader<'_>, field: &Field<'_>) -> Vec<u16> {
    let items = reader.array(field, "write the answers that are no failure: [200, 404]");
    if items.is_empty() && matches!(field.value, DeValue::Array(_)) {
        let help = "name the answers that are no failure, or leave the key out: any 2xx";
        reader.error("empty", field.at(), "`status` is empty", help);
    }
    let one = |item: &Field<'_>| reader.integer(item, 100..=599);
    items.iter().filter_map(one).filter_map(|status| u16::try_from(status).ok()).collect()
}
