//! The facts of the role.

use super::{CONTAINER_PACKAGES, CONTAINER_UNITS, health, process_unit, resources};
use crate::roles::haproxy;
use crate::roles::table::{DrillTable, Promise, RoleTable, Turn};
use andamio_spec::topology::{Role, public_process};

pub(in crate::roles) static TABLE: RoleTable = RoleTable {
    role: Role::App,
    packages: &[CONTAINER_PACKAGES, haproxy::PACKAGES],
    brings: &[CONTAINER_UNITS, &[haproxy::UNIT]],
    services: &[],
    turn: Turn::Application,
    is_migrated: false,
    has_images: true,
    cluster: None,
    drill: DrillTable {
        unit: |spec| public_process(spec).map(|(process, _)| process_unit(spec, process)),
        users: |_| None,
        // It goes on answering until balancers have noticed.
        stopped: Promise::UNNOTICED,
        parted: None,
        otherwise: Promise::gap(1000),
        stands_still: false,
    },
    secrets: |_| &[],
    // The proxy asks the databases which of them may be written to, and ends the balancers' TLS.
    has_identity: |topology| topology.is_database_proxied() || topology.entry.is_encrypted(),
    resources,
    health,
};
