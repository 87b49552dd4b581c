//! Redis in cluster mode, also with one server, so that one client works in all environments.
//!
//! Which instance is where: `layout`. Two users: `default`, with everything, for operation and
//! between members; `app`, without administration.

mod layout;
mod table;

pub use layout::{RedisNode, redis_nodes};
pub(super) use table::TABLE;

use crate::context::RoleContext;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::machine::{NOLOGIN, Resources, directory, file, secret_file, sensitive, store, unit};
use crate::phase::disrupts;
use crate::render::render;
use crate::roles::Endpoint;
use crate::roles::table::Service;
use crate::secret::SecretKind;
use crate::tls;
use andamio_manifest::{
    AUTHORITY, Check, Kind, Probe, REDIS_IDENTITY, Redis, RedisCluster, RedisMember, ReloadMethod,
    Resource, Unit,
};
use andamio_spec::Group;
use andamio_spec::topology::Role;
use minijinja::context;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const PASSWORD: &str = "redis_password";
const APP_PASSWORD: &str = "redis_app_password";
const PACKAGES: &[&str] = &["redis-server", "redis-tools"];
/// Debian's own instance, which takes the port of the first of these.
const OFF: &[&str] = &["redis-server.service"];
const ACCOUNT: &str = "app";
const SECRETS: &[(&str, SecretKind)] =
    &[(PASSWORD, SecretKind::Password), (APP_PASSWORD, SecretKind::Password)];

fn resources(cx: &RoleContext<'_>) -> Result<Vec<Resource>, Error> {
    let mut out = Resources::of("redis");
    out.account("redis", ("/var/lib/redis", NOLOGIN), "/var/lib/redis");
    out.packages(PACKAGES);
    // As the package makes it.
    out.add(directory("/var/lib/redis", 0o750, ("redis", "redis")));
    let unit_file = out.file(file(
        "/etc/systemd/system/redis-server@.service.d/10-andamio.conf",
        include_str!("unit.conf"),
    ));
    out.add(Kind::File(file("/etc/redis/repair.sh", include_str!("repair.sh"))));
    out.off(OFF);
    let nodes: Vec<RedisNode> = redis_nodes(cx.inputs.topology)
        .into_iter()
        .filter(|node| node.machine == cx.machine.name)
        .collect();
    let units = nodes.iter().map(|node| server(node.port)).collect();
    tls::add_identity(cx, &mut out, (REDIS_IDENTITY, "redis"), ReloadMethod::Reload(units));
    let maxmemory = maxmemory_bytes(cx, nodes.len());
    let alone = redis_nodes(cx.inputs.topology).len() == 1;
    for node in &nodes {
        let port = node.port;
        let folder = format!("/var/lib/redis/{port}");
        let holds = ["nodes.conf", "appendonlydir"];
        out.add(Kind::Store(store(&folder, 0o750, "redis", &holds, &server(port))));
        let config = out.file(secret_file(
            &format!("/etc/redis/redis-{port}.conf"),
            config(cx, node, maxmemory)?,
            ("redis", "redis"),
            0o640,
        ));
        out.unit(Unit {
            restart_on: vec![config, unit_file.clone()],
            disrupts: disrupts(cx.inputs.topology, Group::Redis),
            ..unit(&server(port))
        });
        out.add(Kind::Redis(Redis {
            address: cx.machine.address.to_string(),
            port,
            password: sensitive(cx.inputs.secret(PASSWORD)),
            config: live_config(maxmemory),
            // In a cluster of several nobody takes slots alone: an empty server that came back would
            // take those that another has by now.
            slots: if alone { node.slots.into_iter().collect() } else { Vec::new() },
        }));
    }
    // Members of a new cluster are ready only after they have met, which is a step of its own.
    if alone {
        for node in &nodes {
            out.add(Kind::Probe(probe(cx, node, 30)));
        }
    }
    Ok(out.into_list())
}

/// The unit of an instance.
fn server(port: u16) -> String {
    format!("redis-server@{port}.service")
}

/// The cluster of all of them; nothing where there is only one.
fn cluster(inputs: &Inputs<'_>) -> Option<Kind> {
    let nodes = redis_nodes(inputs.topology);
    let address = |address: std::net::Ipv4Addr, port: u16| format!("{address}:{port}");
    (nodes.len() > 1).then(|| {
        Kind::RedisCluster(RedisCluster {
            password: sensitive(inputs.secret(PASSWORD)),
            members: nodes
                .iter()
                .map(|node| RedisMember {
                    address: address(node.address, node.port),
                    slots: node.slots,
                    copy_of: node.replica_of.map(|(host, port)| address(host, port)),
                })
                .collect(),
        })
    })
}

fn config(cx: &RoleContext<'_>, node: &RedisNode, maxmemory: u64) -> Result<String, Error> {
    render(
        "redis.conf",
        include_str!("redis.conf"),
        context! {
            address => cx.machine.address.to_string(),
            port => node.port,
            maxmemory,
            authority => AUTHORITY,
            identity => REDIS_IDENTITY,
            password => cx.inputs.secret(PASSWORD),
            account => ACCOUNT,
            // The digest is enough for the file: the password itself is in the application's only.
            app_digest => hex::encode(Sha256::digest(cx.inputs.secret(APP_PASSWORD))),
        },
    )
}

/// 60 % of the machine for data: the rest is for the copy that a rewrite of the log makes, for
/// clients' buffers and for the system. Shared by the machine's instances.
fn maxmemory_bytes(cx: &RoleContext<'_>, instances: usize) -> u64 {
    let instances = u64::try_from(instances).unwrap_or(1).max(1);
    cx.memory_mib(60) / instances * (1 << 20)
}

fn live_config(maxmemory: u64) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("appendonly".to_owned(), "yes".to_owned()),
        ("appendfsync".to_owned(), "everysec".to_owned()),
        ("cluster-node-timeout".to_owned(), "2000".to_owned()),
        ("maxmemory".to_owned(), maxmemory.to_string()),
        ("maxmemory-policy".to_owned(), "volatile-lru".to_owned()),
    ])
}

fn probe(cx: &RoleContext<'_>, node: &RedisNode, deadline_s: u64) -> Probe {
    Probe {
        name: format!("redis-{}", node.port),
        check: Check::Redis {
            address: format!("{}:{}", node.address, node.port),
            password: sensitive(cx.inputs.secret(PASSWORD)),
        },
        deadline_s,
        unit: None,
    }
}

fn health(cx: &RoleContext<'_>) -> Vec<Service> {
    let nodes = redis_nodes(cx.inputs.topology);
    let probes = nodes.iter().filter(|node| node.machine == cx.machine.name);
    let probes = probes.map(|node| probe(cx, node, 5)).collect();
    vec![Service::new("redis", probes, tls::concern(cx, Role::Redis, REDIS_IDENTITY))]
}

/// Every instance as a seed: a client finds the cluster while any of them is up.
pub(super) fn endpoints(inputs: &Inputs<'_>) -> Vec<Endpoint> {
    let endpoint = |node: &RedisNode| Endpoint {
        scheme: "rediss",
        host: node.address,
        port: node.port,
        user: ACCOUNT,
        password: inputs.secret(APP_PASSWORD).to_owned(),
        path: String::new(),
    };
    redis_nodes(inputs.topology).iter().map(endpoint).collect()
}
