//! What the application is told.

use crate::error::Error;
use crate::inputs::Inputs;
use crate::roles::{Endpoint, mariadb, rabbitmq, redis};
use andamio_manifest::AUTHORITY;
use andamio_spec::topology::Role;
use andamio_spec::variable::{self, Part};
use andamio_spec::{AppSecret, Process};
use std::collections::BTreeMap;

/// podman reads a file of variables by lines of less than 64 KiB; the name is on the line too.
const LINE: usize = 60_000;

/// Variables of a process, or of a command beside processes where there is none: addresses of the services
/// that the environment has, the file with the authority that vouches for them (`DATABASE_CA`, `REDIS_CA`,
/// `AMQP_CA`), its secrets, the environment's name (`ANDAMIO_ENV`) and the balancers that may say for whom they ask
/// (`TRUSTED_PROXIES`, comma separated, empty without any). `DRAIN_SECONDS` is how long a process that was told to
/// stop goes on answering, so that balancers notice first; nobody has to notice where there is none. What the
/// file's `env` says comes last, and may replace any of these.
///
/// `ANDAMIO_RELEASE` belongs to the release: the process's unit sets it.
///
/// # Errors
/// When a variable refers to what the environment does not have.
pub fn app_environment(
    inputs: &Inputs<'_>,
    process: Option<&str>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut all = services(inputs);
    if let Some(port) = process_of(inputs, process).and_then(|process| process.port) {
        all.insert("PORT".to_owned(), port.to_string());
    }
    all.extend(own_variables(inputs, process)?);
    Ok(all)
}

/// What the file says: secrets that are variables, and `env`.
pub(super) fn own_variables(
    inputs: &Inputs<'_>,
    process: Option<&str>,
) -> Result<BTreeMap<String, String>, Error> {
    let secrets = secrets(inputs, process).into_iter().filter(|secret| secret.file.is_none());
    let mut all: BTreeMap<String, String> = secrets
        .map(|secret| (secret.name.clone(), inputs.secret(&secret.name).to_owned()))
        .collect();
    let of_process = process_of(inputs, process).map(|process| &process.env);
    for (name, text) in inputs.spec.app.env.iter().chain(of_process.into_iter().flatten()) {
        all.insert(name.clone(), resolved(inputs, text)?);
    }
    Ok(all)
}

/// The secrets that a process gets.
pub(super) fn secrets<'a>(inputs: &Inputs<'a>, process: Option<&str>) -> Vec<&'a AppSecret> {
    let of_app = inputs.spec.app.secrets.iter().filter(|secret| match process {
        Some(process) => secret.is_for(process),
        None => secret.processes.is_none(),
    });
    let process = process.and_then(|name| inputs.spec.app.processes.get(name));
    of_app.chain(process.into_iter().flat_map(|process| &process.secrets)).collect()
}

fn process_of<'a>(inputs: &Inputs<'a>, process: Option<&str>) -> Option<&'a Process> {
    inputs.spec.app.processes.get(process?)
}

fn services(inputs: &Inputs<'_>) -> BTreeMap<String, String> {
    let proxies: Vec<String> = inputs
        .topology
        .with_role(Role::Balancer)
        .map(|machine| machine.address.to_string())
        .collect();
    let urls = |endpoints: Vec<Endpoint>| {
        let urls: Vec<String> = endpoints.iter().map(Endpoint::url).collect();
        (!urls.is_empty()).then(|| urls.join(","))
    };
    let (database, cache, queue) = (
        urls(mariadb::endpoints(inputs)),
        urls(redis::endpoints(inputs)),
        urls(rabbitmq::endpoints(inputs)),
    );
    let authority = |url: &Option<String>| url.is_some().then(|| AUTHORITY.to_owned());
    let all = [
        ("DATABASE_CA", authority(&database)),
        ("REDIS_CA", authority(&cache)),
        ("AMQP_CA", authority(&queue)),
        ("DATABASE_URL", database),
        ("REDIS_URL", cache),
        ("AMQP_URL", queue),
        ("ANDAMIO_ENV", Some(inputs.topology.env.clone())),
        ("DRAIN_SECONDS", Some(if proxies.is_empty() { "0" } else { "5" }.to_owned())),
        ("TRUSTED_PROXIES", Some(proxies.join(","))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A variable's text with the values that its references stand for.
fn resolved(inputs: &Inputs<'_>, text: &str) -> Result<String, Error> {
    let mut out = String::new();
    for part in variable::parts(text).map_err(Error::Reference)? {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Reference { name, url } => {
                let value = value(inputs, name);
                let value = value.ok_or_else(|| Error::Reference(format!("no value `{name}`")))?;
                out.push_str(&if url { variable::url_encoded(&value) } else { value });
            }
        }
    }
    Ok(out)
}

fn value(inputs: &Inputs<'_>, name: &str) -> Option<String> {
    let (head, rest) = name.split_once('.').unwrap_or((name, ""));
    match (head, rest) {
        ("project", "") => Some(inputs.spec.project.name.clone()),
        ("env", "") => Some(inputs.topology.env.clone()),
        ("release", "") => Some(inputs.release.map_or_else(String::new, |r| r.id.clone())),
        ("url", "") => Some(inputs.topology.url.clone()),
        ("domain", "") => Some(inputs.spec.app.domain.clone()),
        ("secret", name) => inputs.secrets.get(name).cloned(),
        ("process", rest) => {
            let (process, key) = rest.rsplit_once('.')?;
            let port = inputs.spec.app.processes.get(process)?.port?;
            match key {
                // Processes of a machine share its network.
                "host" => Some("127.0.0.1".to_owned()),
                "port" => Some(port.to_string()),
                "url" => Some(format!("http://127.0.0.1:{port}")),
                _ => None,
            }
        }
        ("mariadb", key) => of_service(mariadb::endpoints(inputs), key, "database"),
        ("redis", key) => of_service(redis::endpoints(inputs), key, ""),
        ("rabbitmq", key) => of_service(rabbitmq::endpoints(inputs), key, "vhost"),
        _ => None,
    }
}

/// Of the first of several: most clients take one address. `path`: what this service calls its part.
fn of_service(endpoints: Vec<Endpoint>, key: &str, path: &str) -> Option<String> {
    let endpoint = endpoints.into_iter().next()?;
    match key {
        "host" => Some(endpoint.host.to_string()),
        "port" => Some(endpoint.port.to_string()),
        "user" => Some(endpoint.user.to_owned()),
        "password" => Some(endpoint.password),
        "url" => Some(endpoint.url()),
        "ca" => Some(AUTHORITY.to_owned()),
        key if key == path => Some(endpoint.path),
        _ => None,
    }
}

/// Those that a line of the environment's file can carry: one each, taken as it is.
pub(super) fn lines(variables: &BTreeMap<String, String>) -> String {
    let carried = variables.iter().filter(|(name, value)| is_line(name, value));
    carried.map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// The others, which containers take from podman's store of secrets: never empty, which it refuses.
pub(super) fn stored(variables: BTreeMap<String, String>) -> BTreeMap<String, String> {
    variables.into_iter().filter(|(name, value)| !is_line(name, value)).collect()
}

fn is_line(name: &str, value: &str) -> bool {
    value.len() + name.len() < LINE
        && !value.contains(['\n', '\r'])
        && !name.starts_with('#')
        // An empty one has no other way.
        || value.is_empty()
}

/// How a container takes a stored one, for `--secret` and a unit's `Secret=` alike.
pub(super) fn reference(stored: &str, name: &str) -> String {
    format!("{stored},type=env,target={name}")
}

/// What the names of Andamio's secrets in podman's store begin with.
pub(super) const STORED: &str = "andamio-";

/// The variables as a file that programs read by themselves: quoted as PHP, Ruby, Python and Node understand it alike.
pub(super) fn dotenv(variables: &BTreeMap<String, String>) -> String {
    let line = |(name, value): (&String, &String)| format!("{name}={}\n", dotenv_value(value));
    variables.iter().map(line).collect()
}

fn dotenv_value(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@,+=%".contains(c);
    if value.chars().all(is_plain) {
        value.to_owned()
    } else if !value.contains(['\'', '\\']) {
        format!("'{value}'")
    } else {
        let mut text = String::from("\"");
        for c in value.chars() {
            match c {
                '"' | '\\' | '$' => text.extend(['\\', c]),
                '\n' => text.push_str("\\n"),
                _ => text.push(c),
            }
        }
        text.push('"');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_a_file_is_quoted_where_it_must_be() {
        for (value, text) in [
            ("", ""),
            ("http://a:8/b?", "'http://a:8/b?'"),
            ("plain-1.2", "plain-1.2"),
            ("two words # $HOME", "'two words # $HOME'"),
            ("it's $5 \\", "\"it's \\$5 \\\\\""),
        ] {
            assert_eq!(dotenv_value(value), text, "{value}");
        }
    }
}
