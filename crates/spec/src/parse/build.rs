//! `[app].build` and `[app].image`: where the image comes from.

use super::check;
use super::reader::{Field, Reader};
use crate::model::Build;
use std::collections::BTreeMap;

const FORM: &str = "write { file = \"Dockerfile\", target = \"prod\", args = { A = \"1\" } }";

pub(super) fn read(reader: &mut Reader<'_>, field: &Field<'_>) -> Build {
    let mut build = Build::default();
    let Some(table) = reader.table(field, FORM) else { return build };
    reader.known(&table, &["file", "target", "args", "secrets", "trust"]);
    build.file = table.get("file").and_then(|field| inside(reader, &field));
    build.trust = table.get("trust").and_then(|field| inside(reader, &field));
    if let Some(field) = table.get("target")
        && let Some(target) = reader.string(&field)
    {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if !target.bytes().all(plain) || target.starts_with('-') {
            let message = format!("`{target}` is not the name of a stage");
            let help = "write what stands behind AS in its FROM line, or its number";
            reader.error("invalid-name", field.at(), message, help);
        }
        build.target = Some(target.to_owned());
    }
    if let Some(field) = table.get("args") {
        build.args = args(reader, &field);
    }
    if let Some(field) = table.get("secrets") {
        for (name, item) in reader.strings(&field) {
            if !check::is_variable(name) {
                let message = format!("`{name}` is not the name of a secret");
                let help = "letters, digits, underscores and dots, like \"NPM_TOKEN\"";
                reader.error("invalid-variable", item.at(), message, help);
            }
            build.secrets.push(name.to_owned());
        }
    }
    build
}

fn args(reader: &mut Reader<'_>, field: &Field<'_>) -> BTreeMap<String, String> {
    let mut args = BTreeMap::new();
    let Some(table) = reader.table(field, "write { NAME = \"value\" }") else { return args };
    for (name, field) in table.fields_in_order() {
        if !check::is_variable(name) {
            let message = format!("`{name}` is not the name of a build argument");
            let help = "letters, digits and underscores, like \"VERSION\"";
            reader.error("invalid-variable", field.at_key(), message, help);
        }
        let value = match field.value.as_integer() {
            Some(number) => Some(number.to_string()),
            None => reader.string(&field).map(str::to_owned),
        };
        args.extend(value.map(|value| (name.to_owned(), value)));
    }
    args
}

/// A path that stays in its folder.
fn inside(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let path = reader.string(field)?;
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        let message = format!("`{path}` lies outside of the project");
        reader.error("invalid-path", field.at(), message, "write a relative path without `..`");
    }
    Some(path.to_owned())
}

/// What a registry calls an image, with its host: `registry.example/nginx:1.29`.
pub(super) fn image(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.string(field)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-:@".contains(&b);
    let host = text.split_once('/').map_or("", |(host, _)| host);
    let has_host = host == "localhost" || host.contains(['.', ':']);
    if !text.bytes().all(plain) || text.starts_with('-') || !has_host {
        let message = format!("`{text}` is not an image with its registry");
        let help = "for example \"registry.example/nginx:1.29\", better with @sha256:… at its end";
        reader.error("invalid-image", field.at(), message, help);
    }
    Some(text.to_owned())
}
