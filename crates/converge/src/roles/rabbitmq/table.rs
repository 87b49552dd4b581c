//! The facts of the role.

use super::{EPMD, PACKAGES, SECRETS, SERVER, cluster, forget, health, resources};
use crate::roles::table::{ClusterTable, DrillTable, Promise, RoleTable, Turn};
use andamio_spec::topology::Role;

pub(in crate::roles) static TABLE: RoleTable = RoleTable {
    role: Role::Rabbitmq,
    packages: &[PACKAGES],
    brings: &[&[SERVER, EPMD, "epmd.service"]],
    services: &[("rabbitmq", &[SERVER])],
    turn: Turn::Data,
    is_migrated: false,
    has_images: false,
    cluster: Some(ClusterTable { forget: Some(forget), each: false, whole: cluster }),
    drill: DrillTable {
        unit: |_| Some(SERVER.to_owned()),
        users: |_| None,
        stopped: Promise::UNNOTICED,
        parted: Some(Promise::UNNOTICED),
        otherwise: Promise::UNNOTICED,
        // Its records of accounts ended with the first write that failed, and do not come back by themselves.
        stands_still: true,
    },
    secrets: |_| SECRETS,
    has_identity: |_| true,
    resources,
    health,
};
