//! Text of a variable: as it is, but for `{{ name }}`, which stands for a value of the environment's.
//! `{{ name | url }}` is that value as a part of a URL, `{{ "text" }}` the text itself.

use crate::model::{AppSecret, Group, Spec};
use std::collections::BTreeSet;

/// A piece of a variable's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'t> {
    Text(&'t str),
    /// `url`: with `%` and numbers for what means something in a URL.
    Reference {
        name: &'t str,
        url: bool,
    },
}

/// What every environment has.
const GENERAL: &[&str] = &["project", "env", "release", "url", "domain"];
/// What a service has, by the name of its group.
const SERVICES: &[(Group, &[&str])] = &[
    (Group::Mariadb, &["host", "port", "user", "password", "ca", "url", "database"]),
    (Group::Redis, &["host", "port", "user", "password", "ca", "url"]),
    (Group::Rabbitmq, &["host", "port", "user", "password", "ca", "url", "vhost"]),
];
const PROCESS: &[&str] = &["host", "port", "url"];

/// The pieces of a text, in order.
///
/// # Errors
/// What is wrong with a reference, in words.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, after)) = after.split_once("}}") else {
            return Err(
                "a `{{` has no `}}` after it; write {{ \"{{\" }} for the two characters".to_owned()
            );
        };
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        parts.push(reference(inside.trim())?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

fn reference(inside: &str) -> Result<Part<'_>, String> {
    if let Some(text) = inside.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Ok(Part::Text(text));
    }
    let (name, url) = match inside.split_once('|') {
        None => (inside, false),
        Some((name, filter)) if filter.trim() == "url" => (name.trim_end(), true),
        Some((_, filter)) => {
            return Err(format!("there is no filter `{}`; there is `url`", filter.trim()));
        }
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return Err(format!("`{name}` is not the name of a value"));
    }
    Ok(Part::Reference { name, url })
}

/// Why `name` stands for nothing in an environment with these services, and what does; nothing where it stands
/// for something.
#[must_use]
pub fn problem(name: &str, spec: &Spec, groups: &BTreeSet<Group>) -> Option<(String, Vec<String>)> {
    let known = known(spec, groups);
    if known.iter().any(|other| other == name) {
        return None;
    }
    let (head, _) = name.split_once('.').unwrap_or((name, ""));
    let service = SERVICES.iter().find(|(group, _)| group.as_str() == head);
    let why = match service {
        Some((group, _)) if !groups.contains(group) => format!("has no {group}"),
        _ => format!("has no value `{name}`"),
    };
    Some((why, known))
}

fn known(spec: &Spec, groups: &BTreeSet<Group>) -> Vec<String> {
    let mut known: Vec<String> = GENERAL.iter().map(|&name| name.to_owned()).collect();
    for (group, keys) in SERVICES.iter().filter(|(group, _)| groups.contains(group)) {
        known.extend(keys.iter().map(|key| format!("{group}.{key}")));
    }
    let listening = spec.app.processes.iter().filter(|(_, process)| process.port.is_some());
    for (name, _) in listening {
        known.extend(PROCESS.iter().map(|key| format!("process.{name}.{key}")));
    }
    let secrets = spec.app.all_secrets();
    known.extend(secrets.iter().map(|AppSecret { name, .. }| format!("secret.{name}")));
    known
}

/// As a part of a URL: what RFC 3986 calls unreserved stays.
#[must_use]
pub fn url_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_text() {
        let reference = |name, url| Part::Reference { name, url };
        assert_eq!(
            parts("mysql://{{ mariadb.user }}:{{mariadb.password|url}}@x").unwrap(),
            [
                Part::Text("mysql://"),
                reference("mariadb.user", false),
                Part::Text(":"),
                reference("mariadb.password", true),
                Part::Text("@x")
            ]
        );
        assert_eq!(
            parts("{{ \"{{\" }} a }} $B").unwrap(),
            [Part::Text("{{"), Part::Text(" a }} $B")]
        );
        assert_eq!(parts("").unwrap(), []);
    }

    #[test]
    fn what_is_no_reference_is_said() {
        for (text, why) in [
            ("{{ a", "no `}}`"),
            ("{{ }}", "not the name"),
            ("{{ a b }}", "not the name"),
            ("{{ a | upper }}", "filter `upper`"),
        ] {
            let said = parts(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn what_means_something_in_a_url_is_encoded() {
        assert_eq!(url_encoded("a/b:c@d %é"), "a%2Fb%3Ac%40d%20%25%C3%A9");
    }
}
