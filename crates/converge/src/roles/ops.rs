//! The operations machine: builds the application's image, and sends a drill's load. Nothing of it is in the
//! path of a request.

use crate::cx::Cx;
use crate::machine::Resources;
use crate::roles::app;
use andamio_manifest::Resource;
use andamio_spec::topology::Role;

pub(super) fn resources(cx: &Cx<'_>) -> Vec<Resource> {
    let mut out = Resources::of("ops");
    // On a machine that has both roles the application brings it.
    if !cx.machine.roles.contains(&Role::App) {
        app::podman(&mut out, true);
    }
    out.into_list()
}
