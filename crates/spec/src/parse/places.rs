//! `[places.*]`: where machines come from.

use super::reader::{Reader, Table};
use super::{check, hosts, project};
use crate::defaults;
use crate::model::Place;
use std::collections::BTreeMap;

const KINDS: &[&str] = &["local", "hosts", "linode"];

/// The declared places, with `local` and `linode` always among them, and every name that `on` may
/// have: also of those that could not be read, so that one mistake is one finding.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Table<'_>,
) -> (BTreeMap<String, Place>, Vec<String>) {
    let mut places = BTreeMap::from([
        ("local".to_owned(), Place::Local),
        (
            "linode".to_owned(),
            Place::Linode { region: defaults::LINODE_REGION.to_owned(), state: None },
        ),
    ]);
    let mut names: Vec<String> = places.keys().cloned().collect();
    let help = "write [places.NAME] and its keys below it";
    if let Some(table) = root.get("places").and_then(|field| reader.table(&field, help)) {
        for (name, field) in table.fields_in_order() {
            if let Some(problem) = check::name_problem(name) {
                let help = "instances are called ENVIRONMENT@PLACE";
                reader.error("invalid-name", field.at_key(), format!("`{name}` {problem}"), help);
            }
            names.push(name.to_owned());
            if let Some(table) = reader.table(&field, help)
                && let Some(place) = place(reader, name, &table)
            {
                places.insert(name.to_owned(), place);
            }
        }
    }
    (places, names)
}

fn place(reader: &mut Reader<'_>, name: &str, table: &Table<'_>) -> Option<Place> {
    let own_kind = KINDS.contains(&name).then_some(name);
    let kind = match table.get("kind") {
        Some(field) => {
            let kind = reader.string(&field)?;
            if !KINDS.contains(&kind) {
                let message = format!("no kind of place `{kind}`");
                reader.unknown("unknown-kind", field.at(), &message, kind, KINDS);
                return None;
            }
            if own_kind.is_some_and(|own| own != kind) {
                let message = format!("the place `{name}` cannot be of kind `{kind}`");
                let help = "give the place another name";
                reader.error("place-kind", field.at(), message, help);
                return None;
            }
            kind
        }
        None => match own_kind {
            Some(kind) => kind,
            None => {
                let help = "add kind = \"hosts\" for servers that exist already, or \"linode\"";
                reader.missing(table, "kind", help);
                return None;
            }
        },
    };
    match kind {
        "hosts" => Some(hosts::read(reader, table)),
        "linode" => Some(linode(reader, table)),
        _ => {
            reader.known(table, &["kind"]);
            Some(Place::Local)
        }
    }
}

fn linode(reader: &mut Reader<'_>, table: &Table<'_>) -> Place {
    reader.known(table, &["kind", "region", "state"]);
    let mut region = defaults::LINODE_REGION.to_owned();
    if let Some(field) = table.get("region")
        && let Some(text) = reader.string(&field)
    {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !plain || !text.contains('-') {
            let message = format!("`{text}` is not the name of a region");
            reader.error("invalid-region", field.at(), message, "for example \"es-mad\"");
        }
        text.clone_into(&mut region);
    }
    let state = table.get("state").and_then(|field| project::state(reader, &field));
    Place::Linode { region, state }
}
