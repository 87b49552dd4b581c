//! What a compose file says: services that Andamio has, and processes of the application.

use super::containerfile::{ready, words};
use super::yaml::Node;
use andamio_spec::Group;

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
    pub(super) fn parse(text: &str) -> Self {
        let mut compose = Self::default();
        let root = Node::parse(text);
        for (name, service) in root.get("services").map(Node::entries).unwrap_or_default() {
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
        compose
    }
}

fn part(name: &str, build: &Node, service: &Node) -> Part {
    let context = build.text().or_else(|| build.get("context").and_then(Node::text));
    // `{ context: ./web }` on one line is a text here.
    let context = context.and_then(|text| match text.split_once("context:") {
        Some((_, rest)) => rest.split([',', '}']).next().map(str::trim),
        None => Some(text),
    });
    let folder = context.unwrap_or(".").trim_start_matches("./").trim_end_matches('/');
    let list = |key: &str| service.get(key).map(Node::items).unwrap_or_default();
    let port = list("ports").iter().chain(list("expose")).find_map(port);
    let command = service.get("command").and_then(|command| match command {
        Node::Text(text) if !text.is_empty() => Some(words(text)),
        Node::List(items) => Some(items.iter().filter_map(Node::text).map(str::to_owned).collect()),
        _ => None,
    });
    let test = service.get("healthcheck").and_then(|check| check.get("test"));
    let ready = test.and_then(|test| match test {
        Node::List(items) => items.iter().filter_map(Node::text).find_map(ready),
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
