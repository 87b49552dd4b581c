//! The proxy on each of the application's machines: before several MariaDB servers, of which one takes
//! all writes and another one when it is gone; and behind the balancers, whose TLS ends here.

use crate::context::RoleContext;
use crate::error::Error;
use crate::machine::Resources;
use crate::render::render;
use crate::roles::haproxy;
use andamio_manifest::AUTHORITY;
use andamio_spec::topology::{Role, ports, public_process};
use minijinja::{Value, context};

pub(super) fn add(cx: &RoleContext<'_>, out: &mut Resources) -> Result<(), Error> {
    let topology = cx.inputs.topology;
    let proxied = topology.is_database_proxied();
    let process = public_process(cx.inputs.spec).and_then(|(_, process)| process.port);
    let port = process.filter(|_| topology.entry.is_encrypted());
    if !proxied && port.is_none() {
        return Ok(());
    }
    let databases: Vec<Value> = topology
        .with_role(Role::Mariadb)
        .filter(|_| proxied)
        .map(|m| context! { name => m.name, address => m.address.to_string() })
        .collect();
    haproxy::begin(cx, out);
    let values = context! {
        admin => haproxy::ADMIN,
        tls => haproxy::TLS,
        identity => haproxy::IDENTITY,
        authority => AUTHORITY,
        address => cx.machine.address.to_string(),
        entry => ports::APP_TLS,
        port,
        databases,
        mariadb => ports::MARIADB,
        health => ports::MARIADB_HEALTH,
    };
    let config = render("proxy.cfg", include_str!("proxy.cfg"), values)?;
    haproxy::finish(out, config, &[], false);
    Ok(())
}
