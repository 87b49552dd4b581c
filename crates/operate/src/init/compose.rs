//! What a compose file says: services that Andamio has, and processes of the application.

use super::containerfile::{ready, words};
use super::tree::{Broken, Entries, Node, documents, fill_in};
use andamio_spec::Group;
use std::rc::Rc;

#[derive(Debug, Default)]
pub(super) struct Compose {
    pub(super) services: Vec<(Group, String)>,
    /// Servers that Andamio does not run.
    pub(super) others: Vec<String>,
    pub(super) processes: Vec<Part>,
}

/// A service that is built from a folder.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) folder: String,
    pub(super) port: Option<u16>,
    pub(super) command: Option<Vec<String>>,
    pub(super) ready: Option<String>,
}

const KNOWN: [(&str, Group); 7] = [
    ("mariadb", Group::Mariadb),
    ("mysql", Group::Mariadb),
    ("percona", Group::Mariadb),
    ("redis", Group::Redis),
    ("valkey", Group::Redis),
    ("keydb", Group::Redis),
    ("rabbitmq", Group::Rabbitmq),
];
/// In front of the application Andamio has its own.
const EDGE: [&str; 5] = ["nginx", "traefik", "haproxy", "caddy", "envoy"];

impl Compose {
    pub(super) fn parse(text: &str) -> Result<Self, Broken> {
        let mut compose = Self::default();
        for (name, service) in &services(&documents(text)?) {
            let image = service.get("image").and_then(Node::text).unwrap_or_default();
            // `registry/team/mariadb:11@sha256:…`: the last name, without version.
            let base = image.rsplit('/').next().unwrap_or_default();
            let base = base.split([':', '@']).next().unwrap_or_default();
            let known = KNOWN.iter().find(|(word, _)| base.contains(word));
            if let Some(build) = service.get("build") {
                compose.processes.push(part(name, build, service));
            } else if let Some((_, group)) = known {
                compose.services.push((*group, format!("`{name}` of the compose file: {image}")));
            } else if !EDGE.contains(&base) {
                compose.others.push(format!("{name} ({image})"));
            }
        }
        Ok(compose)
    }
}

/// Of all documents; a service that an earlier one has too keeps what the later one does not say.
fn services(documents: &[Rc<Node>]) -> Entries {
    let mut services = Entries::new();
    for (name, service) in documents.iter().filter_map(|d| d.get("services")?.entries()).flatten() {
        let mut service = Rc::clone(service);
        if let (Some(later), Some(earlier)) =
            (service.entries(), services.get(name).and_then(|earlier| earlier.entries()))
        {
            let mut both = later.clone();
            fill_in(&mut both, earlier);
            service = Rc::new(Node::Map(both));
        }
        services.insert(name.clone(), service);
    }
    services
}

fn part(name: &str, build: &Node, service: &Node) -> Part {
    let context = build.text().or_else(|| build.get("context").and_then(Node::text));
    let folder = context.unwrap_or(".").trim_start_matches("./").trim_end_matches('/');
    let list = |key: &str| service.get(key).map(Node::items).unwrap_or_default();
    let port = list("ports").iter().chain(list("expose")).find_map(|node| port(node));
    let texts = |items: &[Rc<Node>]| -> Vec<String> {
        items.iter().filter_map(|item| item.text()).map(str::to_owned).collect()
    };
    let command = service.get("command").and_then(|command| match command {
        Node::Text(text) if !text.trim().is_empty() => Some(words(text.trim())),
        Node::List(items) => Some(texts(items)),
        _ => None,
    });
    let test = service.get("healthcheck").and_then(|check| check.get("test"));
    let ready = test.and_then(|test| match test {
        Node::List(items) => texts(items).iter().find_map(|text| ready(text)),
        other => other.text().and_then(ready),
    });
    let folder = if folder.is_empty() { "." } else { folder }.to_owned();
    Part { name: name.to_owned(), folder, port, command, ready }
}

/// The container's side of `8080:80`, `127.0.0.1:8080:80/tcp`, `{ target: 80 }`.
fn port(node: &Node) -> Option<u16> {
    let text = match node.get("target") {
        Some(target) => target.text()?,
        None => node.text()?,
    };
    text.split('/').next()?.rsplit(':').next()?.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests;
