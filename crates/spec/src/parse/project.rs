//! `[project]`.

use super::check;
use super::reader::{Field, Reader, Table};
use crate::StateUrl;
use crate::model::{Currency, Project};

pub(super) fn read(reader: &mut Reader<'_>, root: &Table<'_>) -> Project {
    let mut project =
        Project { name: String::new(), currency: Currency::Eur, team: Vec::new(), state: None };
    let Some(field) = root.get("project") else {
        reader.missing(root, "project", "begin the file with [project] and name = \"…\"");
        return project;
    };
    let Some(table) = reader.table(&field, "write [project] and its keys below it") else {
        return project;
    };
    reader.known(&table, &["name", "currency", "team", "state"]);
    match table.get("name") {
        Some(field) => {
            if let Some(name) = reader.string(&field) {
                if let Some(problem) = check::name_problem(name) {
                    let help = "for example \"ficharfirm\"; machines and labels carry this name";
                    reader.error("invalid-name", field.at(), format!("`{name}` {problem}"), help);
                }
                project.name = name.to_owned();
            }
        }
        None => reader.missing(&table, "name", "add name = \"…\""),
    }
    if let Some(field) = table.get("currency") {
        project.currency = currency(reader, &field).unwrap_or(Currency::Eur);
    }
    if let Some(field) = table.get("team") {
        project.team = team(reader, &field);
    }
    if let Some(field) = table.get("state") {
        project.state = state(reader, &field);
    }
    project
}

fn currency(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Currency> {
    match reader.string(field)? {
        "EUR" => Some(Currency::Eur),
        "USD" => Some(Currency::Usd),
        other => {
            let message = format!("no prices in `{other}`");
            reader.unknown("unknown-currency", field.at(), &message, other, &["EUR", "USD"]);
            None
        }
    }
}

fn team(reader: &mut Reader<'_>, field: &Field<'_>) -> Vec<String> {
    let mut team: Vec<String> = Vec::new();
    for (key, item) in reader.strings(field) {
        if !check::is_team_key(key) {
            let shown: String = key.chars().take(16).collect();
            let message = format!("`{shown}…` is not a public key");
            let help = "write an age recipient (age1…, 62 characters) or a whole line \
                        \"ssh-ed25519 AAAA…\"; never a private key";
            reader.error("invalid-key", item.at(), message, help);
        } else if team.iter().any(|other| other == key) {
            let help = "leave one of the two out";
            reader.error("duplicate", item.at(), "this key is in the team already", help);
        }
        team.push(key.to_owned());
    }
    team
}

/// `state` of a project or a place.
pub(super) fn state(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.string(field)?;
    if let Err(problem) = StateUrl::parse(text) {
        let message = format!("`{text}` {problem}");
        let help = "write \"s3://BUCKET\", \"s3://BUCKET/PREFIX\" or \"file:///FOLDER\"";
        reader.error("invalid-state", field.at(), message, help);
    }
    Some(text.to_owned())
}
