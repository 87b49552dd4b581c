//! The facts of the role.

use super::{PACKAGES, UNIT, cluster, connections, health, resources, secrets};
use crate::roles::table::{ClusterTable, DrillTable, Promise, RoleTable, Turn};
use andamio_spec::topology::Role;

pub(in crate::roles) static TABLE: RoleTable = RoleTable {
    role: Role::Mariadb,
    packages: &[PACKAGES],
    brings: &[&[UNIT]],
    services: &[("mariadb", &[UNIT])],
    turn: Turn::Data,
    is_migrated: true,
    has_images: false,
    cluster: Some(ClusterTable { forget: None, each: true, whole: cluster }),
    drill: DrillTable {
        unit: |_| Some(UNIT.to_owned()),
        users: |_| Some(connections()),
        stopped: Promise::gap(3000),
        parted: Some(Promise::gap(4000)),
        otherwise: Promise::gap(3000),
        // It looks for room once a minute.
        stands_still: true,
    },
    secrets,
    has_identity: |_| true,
    resources,
    health,
};
