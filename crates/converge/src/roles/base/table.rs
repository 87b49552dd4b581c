//! The facts of the role.

use super::{PACKAGES, resources, updates};
use crate::roles::table::{DrillTable, RoleTable, Turn};
use andamio_spec::topology::Role;

pub(in crate::roles) static TABLE: RoleTable = RoleTable {
    role: Role::Base,
    packages: &[PACKAGES],
    brings: &[updates::OFF],
    services: &[],
    turn: Turn::Beside,
    is_migrated: false,
    has_images: false,
    cluster: None,
    // No machine is of this role alone.
    drill: DrillTable::NO_SERVICE,
    secrets: |_| &[],
    has_identity: |_| false,
    resources,
    health: |_| Vec::new(),
};
