//! The machine for operations: it builds the application's image, and sends a drill's load. Nothing of it is in
//! the path of a request, and what it has for that is every machine's with images.

use super::app;
use super::table::{DrillTable, RoleTable, Turn};
use andamio_spec::topology::Role;

pub(super) static TABLE: RoleTable = RoleTable {
    role: Role::Ops,
    packages: &[app::CONTAINER_PACKAGES],
    brings: &[app::CONTAINER_UNITS],
    services: &[],
    turn: Turn::Beside,
    is_migrated: false,
    has_images: true,
    cluster: None,
    drill: DrillTable::NO_SERVICE,
    secrets: |_| &[],
    has_identity: |_| false,
    resources: |_| Ok(Vec::new()),
    health: |_| Vec::new(),
};
