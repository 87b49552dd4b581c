//! MariaDB: one server, a primary with its replica, or a Galera cluster.
//!
//! How a cluster comes to life: [`galera`] and [`replica`]. Before several servers, the application's machines
//! have a proxy, which asks each of them whether it may be written to.
//!
//! Listens on the machine's own address and its socket; administration is the socket's, as root.

pub mod galera;
pub mod replica;
mod table;

pub(super) use table::TABLE;

use crate::context::RoleContext;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::machine::{Resources, file, secret_file, sensitive, store, strings, unit};
use crate::phase::disrupts;
use crate::render::render;
use crate::roles::Endpoint;
use crate::roles::table::Service;
use crate::secret::SecretKind;
use crate::tls;
use andamio_manifest::{
    AUTHORITY, Agent, Check, File, Kind, MARIADB_IDENTITY, Mariadb, MariadbAccount, MariadbGrant,
    Probe, ReloadMethod, Resource, Store, Unit,
};
use andamio_spec::model::Layout;
use andamio_spec::topology::{Role, ports};
use andamio_spec::{Group, Topology};
use minijinja::context;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const UNIT: &str = "mariadb.service";
const DATA: &str = "/var/lib/mysql";
const PACKAGES: &[&str] = &["mariadb-server", "mariadb-backup"];
/// As Debian's package does it when it is installed, without the server's configuration, which names what is not
/// there yet.
const INIT: [&str; 6] = [
    "/usr/bin/mariadb-install-db",
    "--no-defaults",
    "--user=mysql",
    "--datadir=/var/lib/mysql",
    "--skip-test-db",
    "--auth-root-authentication-method=socket",
];
pub(crate) const SOCKET: &str = "/run/mysqld/mysqld.sock";
const ACCOUNT: &str = "app";
const PASSWORD: &str = "mariadb_app_password";
const REPLICATION_ACCOUNT: &str = "replication";
const REPLICATION: &str = "mariadb_replication_password";

/// A replica and a Galera joiner log in to another server.
fn secrets(topology: &Topology) -> &'static [(&'static str, SecretKind)] {
    let both = &[(PASSWORD, SecretKind::Password), (REPLICATION, SecretKind::Password)];
    if topology.with_role(Role::Mariadb).count() > 1 { both } else { &both[..1] }
}

fn resources(cx: &RoleContext<'_>) -> Result<Vec<Resource>, Error> {
    let mut out = Resources::of("mariadb");
    out.account("mysql", ("/nonexistent", "/bin/false"), DATA);
    out.packages(PACKAGES);
    out.add(Kind::Store(Store {
        init: strings(&INIT),
        ..store(DATA, 0o755, "mysql", &["mysql", "ibdata1", "grastate.dat"], UNIT)
    }));
    // Without a restart, also by Galera.
    let taken_up = ReloadMethod::Reload(vec![UNIT.to_owned()]);
    tls::add_identity(cx, &mut out, (MARIADB_IDENTITY, "mysql"), taken_up);
    let config = out.file(File {
        validate: strings(&["/usr/sbin/mariadbd", "--defaults-file={}", "--help", "--verbose"]),
        ..config(cx)?
    });
    let unit_file = out.file(file(
        "/etc/systemd/system/mariadb.service.d/10-andamio.conf",
        include_str!("unit.conf"),
    ));
    let mut restart_on = vec![config, unit_file];
    if cx.machine.layout == Layout::Galera {
        out.add(Kind::File(file("/etc/mysql/sst.bash", include_str!("sst.bash"))));
        restart_on.push(out.file(file(
            "/etc/systemd/system/mariadb.service.d/20-galera.conf",
            include_str!("galera-unit.conf"),
        )));
    }
    out.unit(Unit {
        restart_on,
        disrupts: disrupts(cx.inputs.topology, Group::Mariadb),
        ..unit(UNIT)
    });
    out.add(Kind::Probe(probe(cx, 120)));
    out.add(Kind::Mariadb(Mariadb {
        socket: SOCKET.to_owned(),
        databases: vec![cx.inputs.spec.project.name.clone()],
        accounts: accounts(cx),
        variables: live_variables(),
        unlogged: cx.machine.layout == Layout::Replica,
    }));
    if cx.inputs.topology.is_database_proxied() {
        let health = out.file(file(
            "/etc/systemd/system/andamio-health.service",
            render(
                "health.service",
                include_str!("health.service"),
                context! {
                    address => cx.machine.address.to_string(),
                    port => ports::MARIADB_HEALTH,
                    socket => SOCKET,
                    identity => MARIADB_IDENTITY,
                },
            )?,
        ));
        out.unit(Unit { restart_on: vec![Agent::id(), health], ..unit("andamio-health.service") });
    }
    Ok(out.into_list())
}

fn config(cx: &RoleContext<'_>) -> Result<File, Error> {
    let layout = cx.machine.layout;
    let peers: Vec<String> = cx
        .inputs
        .topology
        .with_role(Role::Mariadb)
        .map(|machine| machine.address.to_string())
        .collect();
    // Whole chunks of 128 MiB: the server rounds, and the figure is read back.
    let pool_mib = (cx.memory_mib(50) / 128).max(1) * 128;
    let text = render(
        "andamio.cnf",
        include_str!("andamio.cnf"),
        context! {
            name => cx.machine.name,
            address => cx.machine.address.to_string(),
            port => ports::MARIADB,
            // One history of the cluster, whoever wrote: all its members have one server id, and what a
            // member writes by itself has a domain of its own.
            server_id => if layout == Layout::Galera { 1 } else { cx.machine.index },
            domain => if layout == Layout::Galera { 10 + cx.machine.index } else { 1 },
            pool_mib,
            log_mib => (pool_mib / 8).clamp(96, 1024),
            replica => layout == Layout::Replica,
            galera => layout == Layout::Galera,
            authority => AUTHORITY,
            identity => MARIADB_IDENTITY,
            cluster => format!("{}-{}", cx.inputs.topology.project, cx.inputs.topology.env),
            peers => peers.join(","),
            replication_account => REPLICATION_ACCOUNT,
            replication_password => cx.inputs.secret(REPLICATION),
        },
    )?;
    let path = "/etc/mysql/mariadb.conf.d/99-andamio.cnf";
    // Only a Galera member has a password in it: for the transfer of a joiner's first copy.
    Ok(if layout == Layout::Galera {
        secret_file(path, text, ("root", "mysql"), 0o640)
    } else {
        file(path, text)
    })
}

/// The application: everything on the project's own database and nothing anywhere else; and where
/// there are several servers, what one needs on another.
fn accounts(cx: &RoleContext<'_>) -> Vec<MariadbAccount> {
    let inputs = cx.inputs;
    // `_` stands for any letter in the database part of a grant.
    let database = inputs.spec.project.name.replace('_', "\\_");
    let account = |name: &str, host: String, secret, privileges: &str, on: String| MariadbAccount {
        name: name.to_owned(),
        host,
        password: sensitive(inputs.secret(secret)),
        grants: vec![MariadbGrant { privileges: privileges.to_owned(), on }],
    };
    let everywhere = "*.*".to_owned();
    let between = match cx.machine.layout {
        // The donor of a joiner's first copy logs in to itself.
        Layout::Galera => vec![account(
            REPLICATION_ACCOUNT,
            "localhost".to_owned(),
            REPLICATION,
            "RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, REPLICA MONITOR",
            everywhere,
        )],
        // Every member may be promoted, so that each lets the others in.
        Layout::Replica => inputs
            .topology
            .with_role(Role::Mariadb)
            .map(|machine| {
                let host = machine.address.to_string();
                let on = everywhere.clone();
                account(REPLICATION_ACCOUNT, host, REPLICATION, "REPLICATION SLAVE", on)
            })
            .collect(),
        _ => Vec::new(),
    };
    client_hosts(inputs.topology)
        .into_iter()
        .map(|host| account(ACCOUNT, host, PASSWORD, "ALL PRIVILEGES", format!("`{database}`.*")))
        .chain(between)
        .collect()
}

/// The environment's network where all app machines are in it, so that a new one needs no account;
/// otherwise each machine.
fn client_hosts(topology: &Topology) -> Vec<String> {
    let [a, b, c, _] = topology.network.base.octets();
    let machines: Vec<_> = topology.with_role(Role::App).collect();
    let inside = |address: Ipv4Addr| address.octets().starts_with(&[a, b, c]);
    // Servers that exist already have addresses of their own, in no network that is the environment's.
    if !topology.network.base.is_unspecified() && machines.iter().all(|m| inside(m.address)) {
        vec![format!("{a}.{b}.{c}.%")]
    } else {
        machines.iter().map(|machine| machine.address.to_string()).collect()
    }
}

/// What an acknowledged record depends on, read from the running server.
fn live_variables() -> BTreeMap<String, String> {
    [
        ("innodb_flush_log_at_trx_commit", "1"),
        ("sync_binlog", "1"),
        ("binlog_format", "ROW"),
        ("gtid_strict_mode", "ON"),
        ("local_infile", "OFF"),
        ("max_connections", "300"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

fn probe(cx: &RoleContext<'_>, deadline_s: u64) -> Probe {
    let status = if cx.machine.layout == Layout::Galera {
        BTreeMap::from([("wsrep_ready".to_owned(), "ON".to_owned())])
    } else {
        BTreeMap::new()
    };
    let check = Check::Mariadb { socket: SOCKET.to_owned(), status };
    Probe { name: "mariadb".to_owned(), check, deadline_s, unit: None }
}

fn health(cx: &RoleContext<'_>) -> Vec<Service> {
    let mut probes = vec![probe(cx, 5)];
    probes.extend(replication(cx.machine.layout));
    vec![Service::new("mariadb", probes, tls::concern(cx, Role::Mariadb, MARIADB_IDENTITY))]
}

/// Whether servers of a pair lead and copy.
fn cluster(inputs: &Inputs<'_>) -> Option<Kind> {
    let layout = inputs.topology.with_role(Role::Mariadb).next()?.layout;
    replication(layout).map(Kind::Probe)
}

/// A command that counts the application's connections: all members of a cluster could take writes, and the proxies
/// lead to one, which has nearly all of them.
#[must_use]
pub fn connections() -> String {
    format!("ss -Htn state established 'sport = :{}' | wc -l", ports::MARIADB)
}

/// That a server of a pair leads or copies; asked only when both have been told which.
fn replication(layout: Layout) -> Option<Probe> {
    let check = Check::Replication { socket: SOCKET.to_owned() };
    let name = "replication".to_owned();
    (layout == Layout::Replica).then_some(Probe { name, check, deadline_s: 30, unit: None })
}

/// `mysql://…` of the only server; of several, of the proxy on the application's own machine.
pub(super) fn endpoints(inputs: &Inputs<'_>) -> Vec<Endpoint> {
    let Some(first) = inputs.topology.with_role(Role::Mariadb).next() else { return Vec::new() };
    let proxied = inputs.topology.is_database_proxied();
    vec![Endpoint {
        scheme: "mysql",
        host: if proxied { Ipv4Addr::LOCALHOST } else { first.address },
        port: ports::MARIADB,
        user: ACCOUNT,
        password: inputs.secret(PASSWORD).to_owned(),
        path: inputs.spec.project.name.clone(),
    }]
}
