//! The facts of the role.

use super::{OFF, PACKAGES, SECRETS, cluster, health, resources, server};
use crate::roles::table::{ClusterTable, DrillTable, Promise, RoleTable, Turn};
use andamio_spec::topology::{Role, ports};

pub(in crate::roles) static TABLE: RoleTable = RoleTable {
    role: Role::Redis,
    packages: &[PACKAGES],
    brings: &[OFF],
    services: &[("redis", &["redis-server@*.service"])],
    turn: Turn::Data,
    is_migrated: false,
    has_images: false,
    cluster: Some(ClusterTable { forget: None, each: false, whole: cluster }),
    drill: DrillTable {
        // The first is a master.
        unit: |_| Some(server(ports::REDIS)),
        users: |_| None,
        stopped: Promise::UNNOTICED,
        parted: Some(Promise::UNNOTICED),
        otherwise: Promise::UNNOTICED,
        stands_still: false,
    },
    secrets: |_| SECRETS,
    has_identity: |_| true,
    resources,
    health,
};
