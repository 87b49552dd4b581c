//! RabbitMQ: one node or a cluster with quorum queues.
//!
//! AMQP is on the machine's address, administration on loopback. A node alone keeps the Erlang distribution
//! on loopback too; members of a cluster open it to each other, at one port that all of them know: Erlang's port
//! mapper knows no TLS, so no machine asks another one's. At its start a member looks in its own, under its own name,
//! whether it runs already.

mod table;

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
    AUTHORITY, Check, Kind, Probe, RABBITMQ_IDENTITY, RABBITMQ_MEMBER, Rabbitmq, RabbitmqCluster,
    RabbitmqUser, ReloadMethod, Resource, Task, Unit,
};
use andamio_spec::Group;
use andamio_spec::topology::{Machine, Role, ports};
use minijinja::{Value, context};
use serde_json::json;
use sha2::{Digest, Sha256};

const ADMIN: &str = "admin";
const ADMIN_PASSWORD: &str = "rabbitmq_admin_password";
const ACCOUNT: &str = "app";
const PASSWORD: &str = "rabbitmq_app_password";
const COOKIE: &str = "rabbitmq_erlang_cookie";
/// Also the account's home.
const DATA: &str = "/var/lib/rabbitmq";
const PACKAGES: &[&str] = &["rabbitmq-server"];
const SERVER: &str = "rabbitmq-server.service";
const EPMD: &str = "epmd.socket";
const MANAGEMENT: &str = "127.0.0.1:15672";
const SECRETS: &[(&str, SecretKind)] = &[
    (ADMIN_PASSWORD, SecretKind::Password),
    (PASSWORD, SecretKind::Password),
    (COOKIE, SecretKind::Hex32),
];

fn resources(cx: &RoleContext<'_>) -> Result<Vec<Resource>, Error> {
    let mut out = Resources::of("rabbitmq");
    out.account("rabbitmq", (DATA, NOLOGIN), DATA);
    // Erlang's port mapper, which has no files.
    out.account("epmd", ("/run/epmd", NOLOGIN), "/run/epmd");
    out.packages(PACKAGES);
    // What a server that was purged leaves has nothing of it.
    out.add(directory("/etc/rabbitmq", 0o755, ("rabbitmq", "rabbitmq")));
    // Its package makes an empty `mnesia`.
    let holds = format!("mnesia/{}", member(&cx.machine.name));
    out.add(Kind::Store(store(DATA, 0o755, "rabbitmq", &[&holds], SERVER)));
    let values = values(cx);
    tls::add_identity(cx, &mut out, (RABBITMQ_IDENTITY, "rabbitmq"), ReloadMethod::Alone);
    if cx.inputs.topology.with_role(Role::Rabbitmq).count() > 1 {
        let names = vec![cx.machine.name.clone(), "localhost".to_owned()];
        tls::add_identity_for(names, &mut out, (RABBITMQ_MEMBER, "rabbitmq"), ReloadMethod::Alone);
    }
    let mut parts = vec![
        out.file(secret_file(
            "/var/lib/rabbitmq/.erlang.cookie",
            cx.inputs.secret(COOKIE),
            ("rabbitmq", "rabbitmq"),
            0o400,
        )),
        out.file(file("/etc/rabbitmq/enabled_plugins", "[rabbitmq_management].\n")),
        out.file(secret_file(
            "/etc/rabbitmq/definitions.json",
            definitions(cx.inputs),
            ("root", "rabbitmq"),
            0o640,
        )),
        out.file(file(
            "/etc/systemd/system/rabbitmq-server.service.d/10-andamio.conf",
            include_str!("unit.conf"),
        )),
    ];
    for (path, name, source) in [
        ("/etc/rabbitmq/rabbitmq.conf", "rabbitmq.conf", include_str!("rabbitmq.conf")),
        ("/etc/rabbitmq/rabbitmq-env.conf", "env.conf", include_str!("env.conf")),
        ("/etc/rabbitmq/inetrc", "inetrc", include_str!("inetrc")),
        (
            "/etc/rabbitmq/distribution.config",
            "distribution.config",
            include_str!("distribution.config"),
        ),
    ] {
        parts.push(out.file(file(path, render(name, source, values.clone())?)));
    }
    out.file(file(
        "/etc/systemd/system/epmd.service.d/10-andamio.conf",
        include_str!("epmd-unit.conf"),
    ));
    let socket = out.file(file(
        "/etc/systemd/system/epmd.socket.d/10-andamio.conf",
        render("epmd-socket.conf", include_str!("epmd-socket.conf"), values)?,
    ));
    out.unit(Unit { restart_on: vec![socket], ..unit(EPMD) });
    out.unit(Unit {
        restart_on: parts,
        disrupts: disrupts(cx.inputs.topology, Group::Rabbitmq),
        ..unit(SERVER)
    });
    out.add(Kind::Probe(probe(cx, 120)));
    out.add(Kind::Rabbitmq(accounts(cx.inputs)));
    Ok(out.into_list())
}

fn values(cx: &RoleContext<'_>) -> Value {
    let members: Vec<&Machine> = cx.inputs.topology.with_role(Role::Rabbitmq).collect();
    let clustered = members.len() > 1;
    let [a, b, c, d] = cx.machine.address.octets();
    let hosts: Vec<Value> = members
        .iter()
        .map(|machine| {
            let address = machine.address.octets().map(|octet| octet.to_string()).join(",");
            context! { name => machine.name, address }
        })
        .collect();
    context! {
        name => cx.machine.name,
        address => cx.machine.address.to_string(),
        // Erlang's notation of the address that the distribution listens on.
        distribution => if clustered { format!("{a},{b},{c},{d}") } else { "127,0,0,1".to_owned() },
        hosts,
        clustered,
        pair => members.len() == 2,
        cluster => format!("{}-{}", cx.inputs.topology.project, cx.inputs.topology.env),
        epmd => ports::EPMD,
        amqps => ports::AMQPS,
        authority => AUTHORITY,
        identity => RABBITMQ_IDENTITY,
        member => RABBITMQ_MEMBER,
        distribution_port => ports::RABBITMQ_CLUSTER,
        management => MANAGEMENT,
        memory_mib => cx.memory_mib(40),
        // Paging a full memory to the disk has to fit; a twentieth of the disk at most.
        disk_bytes => (cx.machine.size.memory_bytes / 2).min(cx.machine.disk_bytes / 20),
    }
}

/// Loaded at every start: the account that administers, and the virtual host. Without it the
/// server would make the well-known `guest`.
fn definitions(inputs: &Inputs<'_>) -> String {
    let vhost = &inputs.spec.project.name;
    let all = ".*";
    let document = json!({
        "users": [{
            "name": ADMIN,
            "password_hash": password_hash(inputs.secret(ADMIN_PASSWORD)),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["administrator"],
            "limits": {},
        }],
        "vhosts": [{ "name": vhost, "metadata": { "default_queue_type": "quorum" } }],
        "permissions": [
            { "user": ADMIN, "vhost": vhost, "configure": all, "write": all, "read": all },
        ],
    });
    format!("{document:#}\n")
}

/// RabbitMQ's own form: Base64 of four bytes of salt and SHA-256 of salt and password. The salt
/// comes from the password, so that the same secret gives the same file.
fn password_hash(password: &str) -> String {
    let salt: Vec<u8> = Sha256::new_with_prefix("salt")
        .chain_update(password)
        .finalize()
        .into_iter()
        .take(4)
        .collect();
    let digest = Sha256::new_with_prefix(&salt).chain_update(password).finalize();
    base64(&[salt.as_slice(), digest.as_slice()].concat())
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_usize, |group, byte| group << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS.get(group >> (18 - 6 * place) & 63).copied().unwrap_or(b'A');
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

fn accounts(inputs: &Inputs<'_>) -> Rabbitmq {
    let vhost = inputs.spec.project.name.clone();
    Rabbitmq {
        management: MANAGEMENT.to_owned(),
        admin: ADMIN.to_owned(),
        admin_password: sensitive(inputs.secret(ADMIN_PASSWORD)),
        vhosts: vec![vhost.clone()],
        users: vec![RabbitmqUser {
            name: ACCOUNT.to_owned(),
            password: sensitive(inputs.secret(PASSWORD)),
            tags: String::new(),
            vhost,
            // Queues and exchanges of its own; the server's built-in ones stay as they are.
            configure: "^(?!amq\\.).*$".to_owned(),
            write: ".*".to_owned(),
            read: ".*".to_owned(),
        }],
        policies: Vec::new(),
    }
}

/// The cluster of all of them; nothing where there is only one.
fn cluster(inputs: &Inputs<'_>) -> Option<Kind> {
    let members: Vec<String> =
        inputs.topology.with_role(Role::Rabbitmq).map(|machine| member(&machine.name)).collect();
    (members.len() > 1).then(|| {
        Kind::RabbitmqCluster(RabbitmqCluster {
            management: MANAGEMENT.to_owned(),
            admin: ADMIN.to_owned(),
            admin_password: sensitive(inputs.secret(ADMIN_PASSWORD)),
            members,
        })
    })
}

/// Members whose data is gone are struck off.
fn forget(machines: &[String]) -> Task {
    Task::RabbitmqForget { members: machines.iter().map(|name| member(name)).collect() }
}

/// A machine's name among the members.
fn member(machine: &str) -> String {
    format!("rabbit@{machine}")
}

fn probe(cx: &RoleContext<'_>, deadline_s: u64) -> Probe {
    Probe {
        name: "rabbitmq".to_owned(),
        check: Check::Rabbitmq {
            management: MANAGEMENT.to_owned(),
            user: ADMIN.to_owned(),
            password: sensitive(cx.inputs.secret(ADMIN_PASSWORD)),
        },
        deadline_s,
        unit: None,
    }
}

fn health(cx: &RoleContext<'_>) -> Vec<Service> {
    vec![Service::new(
        "rabbitmq",
        vec![probe(cx, 5)],
        tls::concern(cx, Role::Rabbitmq, RABBITMQ_IDENTITY),
    )]
}

/// Any of them will do.
pub(super) fn endpoints(inputs: &Inputs<'_>) -> Vec<Endpoint> {
    let endpoint = |machine: &Machine| Endpoint {
        scheme: "amqps",
        host: machine.address,
        port: ports::AMQPS,
        user: ACCOUNT,
        password: inputs.secret(PASSWORD).to_owned(),
        path: inputs.spec.project.name.clone(),
    };
    inputs.topology.with_role(Role::Rabbitmq).map(endpoint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        // RFC 4648, section 10.
        for (plain, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }
}
