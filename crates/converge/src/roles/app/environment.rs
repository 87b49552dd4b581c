//! What the application is told.

use crate::inputs::Inputs;
use crate::roles::{mariadb, rabbitmq, redis};
use andamio_manifest::AUTHORITY;
use andamio_spec::topology::Role;
use std::collections::BTreeMap;

/// Names that an application's secret may not take.
const OWN: &[&str] = &[
    "DATABASE_URL",
    "REDIS_URL",
    "AMQP_URL",
    "DATABASE_CA",
    "REDIS_CA",
    "AMQP_CA",
    "PORT",
    "ANDAMIO_ENV",
    "ANDAMIO_RELEASE",
    "DRAIN_SECONDS",
    "TRUSTED_PROXIES",
    "PATH",
    "HOME",
];

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

pub(crate) fn may_be_named(name: &str) -> bool {
    let is_variable = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    is_variable && !OWN.contains(&name)
}
