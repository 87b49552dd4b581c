//! The proxy on each of the application's machines before several MariaDB servers: one of them takes
//! all writes, and another one when it is gone.

use super::is_proxied;
use crate::cx::Cx;
use crate::error::Error;
use crate::machine::{Resources, unit};
use crate::render::render;
use crate::roles::haproxy;
use andamio_manifest::Unit;
use andamio_spec::topology::{Role, ports};
use minijinja::{Value, context};

pub(crate) fn add(cx: &Cx<'_>, out: &mut Resources) -> Result<(), Error> {
    if !is_proxied(cx.inputs.topology) {
        return Ok(());
    }
    let servers: Vec<Value> = cx
        .inputs
        .topology
        .with_role(Role::Mariadb)
        .map(|m| context! { name => m.name, address => m.address.to_string() })
        .collect();
    let values = context! { servers, port => ports::MARIADB, health => ports::MARIADB_HEALTH };
    let text = render("proxy.cfg", include_str!("proxy.cfg"), values)?;
    let (config, unit_file) = haproxy::add(out, text, &[]);
    out.unit(Unit {
        restart_on: vec![unit_file],
        reload_on: vec![config],
        ..unit("haproxy.service")
    });
    Ok(())
}
