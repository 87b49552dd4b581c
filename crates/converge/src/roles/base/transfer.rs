//! How much the machine sends to the outside: counted by the node every minute.

use crate::context::RoleContext;
use crate::error::Error;
use crate::machine::{Resources, file, unit};
use crate::render::render;
use andamio_manifest::Unit;
use minijinja::context;

pub(super) fn add(cx: &RoleContext<'_>, out: &mut Resources) -> Result<(), Error> {
    let service = out.file(file(
        "/etc/systemd/system/andamio-transfer.service",
        render(
            "transfer.service",
            include_str!("transfer.service"),
            context! { inside => inside(cx) },
        )?,
    ));
    let second = cx.machine.address.octets()[3] % 60;
    let values = context! { second };
    let timer = out.file(file(
        "/etc/systemd/system/andamio-transfer.timer",
        render("transfer.timer", include_str!("transfer.timer"), values)?,
    ));
    out.unit(Unit { restart_on: vec![service, timer], ..unit("andamio-transfer.timer") });
    Ok(())
}

/// The environment's own addresses. Of its network here all but the host's, behind which everybody else is:
/// a machine that is added changes nothing.
fn inside(cx: &RoleContext<'_>) -> String {
    let topology = cx.inputs.topology;
    if topology.network.base.is_unspecified() {
        let addresses = topology.machines.iter().map(|machine| machine.address.to_string());
        return addresses.collect::<Vec<_>>().join(", ");
    }
    format!("{}-{}", topology.network.host(2), topology.network.host(255))
}
