//! What the application is told.

use crate::inputs::Inputs;
use crate::roles::{mariadb, rabbitmq, redis};
use andamio_manifest::AUTHORITY;
use andamio_spec::topology::Role;
use std::collections::BTreeMap;

/// podman reads a file of variables by lines of less than 64 KiB; the name is on the line too.
const LINE: usize = 60_000;

/// Variables of every process and every one-off: addresses of the services that the environment has, the
/// file with the authority that vouches for them (`DATABASE_CA`, `REDIS_CA`, `AMQP_CA`),
/// the secrets of `[app].secrets`, the environment's name (`ANDAMIO_ENV`) and the balancers that
/// may say for whom they ask (`TRUSTED_PROXIES`, comma separated, empty without any). `DRAIN_SECONDS`
/// is how long a process that was told to stop goes on answering, so that balancers notice first;
/// nobody has to notice where there is none.
///
/// `PORT` and `ANDAMIO_RELEASE` belong to a process: its unit sets them.
#[must_use]
pub fn app_environment(inputs: &Inputs<'_>) -> BTreeMap<String, String> {
    let proxies: Vec<String> = inputs
        .topology
        .with_role(Role::Balancer)
        .map(|machine| machine.address.to_string())
        .collect();
    let (database, cache, queue) =
        (mariadb::url(inputs), redis::urls(inputs), rabbitmq::urls(inputs));
    let authority = |url: &Option<String>| url.is_some().then(|| AUTHORITY.to_owned());
    let services = [
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
    let given = inputs.spec.app.secrets.iter();
    let given = given.map(|name| (name.clone(), inputs.secret(name).to_owned()));
    services
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .chain(given)
        .collect()
}

/// Those that a line of the environment's file can carry: one each, taken as it is.
pub(super) fn lines(inputs: &Inputs<'_>) -> String {
    let variables = app_environment(inputs);
    let carried = variables.iter().filter(|(_, value)| is_line(value));
    carried.map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// The others, which containers take from podman's store of secrets: never empty, which it refuses.
pub(super) fn stored(inputs: &Inputs<'_>) -> BTreeMap<String, String> {
    app_environment(inputs).into_iter().filter(|(_, value)| !is_line(value)).collect()
}

fn is_line(value: &str) -> bool {
    value.len() < LINE && !value.contains(['\n', '\r'])
}

/// How a container takes a stored one, for `--secret` and a unit's `Secret=` alike.
pub(super) fn reference(name: &str) -> String {
    format!("{STORED}{name},type=env,target={name}")
}

/// What the names of Andamio's secrets in podman's store begin with.
pub(super) const STORED: &str = "andamio-";
