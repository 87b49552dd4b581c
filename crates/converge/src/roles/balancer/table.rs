//! The facts of the role.

use super::{KEEPALIVED, KEEPALIVED_UNIT, entry, health, resources};
use crate::roles::haproxy;
use crate::roles::table::{DrillTable, Promise, RoleTable, Turn};
use andamio_spec::topology::Role;

pub(in crate::roles) static TABLE: RoleTable = RoleTable {
    role: Role::Balancer,
    packages: &[haproxy::PACKAGES, KEEPALIVED],
    brings: &[&[haproxy::UNIT, KEEPALIVED_UNIT]],
    services: &[("balancer", &[haproxy::UNIT, KEEPALIVED_UNIT]), ("certificate", &[entry::RUN])],
    turn: Turn::Entry,
    is_migrated: false,
    has_images: false,
    cluster: None,
    drill: DrillTable {
        unit: |_| Some(haproxy::UNIT.to_owned()),
        // Who has the floating address.
        users: |topology| {
            let address = topology.floating_address()?;
            Some(format!("ip -4 -o address show to {address} | wc -l"))
        },
        stopped: Promise::gap(1500),
        parted: Some(Promise::gap(1500)),
        otherwise: Promise::gap(1500),
        stands_still: false,
    },
    secrets: |_| &[],
    has_identity: |topology| topology.entry.is_encrypted(),
    resources,
    health,
};
