//! What holds when the file says nothing, and why. `check --explain` shows both.

use crate::model::{Group, Layout, Limits, Size, Window};
use crate::units::GB;

pub const PLACE: &str = "local";
pub const MACHINES: u32 = 1;
pub const SSH_USER: &str = "root";
pub const SSH_PORT: u16 = 22;
pub const READY: &str = "/readyz";
/// Seconds until a process has to be ready: frameworks that fill caches at their start need most of it.
pub const START_S: u64 = 60;
/// Seconds from the signal to stop until the process is killed: longer than balancers take to notice.
pub const STOP_GRACE_S: u64 = 25;
pub const BACKUP_FULL: &str = "daily 03:00 UTC";
pub const BACKUP_INCREMENTAL: &str = "every 6h";
pub const BACKUP_KEEP: &str = "30d";
pub const WINDOW: Window = Window::Always;
/// Madrid: instances, balancers, private networks and encrypted disks are all to be had there
/// (provider's region list, 2026-07); its users are the document's.
pub const LINODE_REGION: &str = "es-mad";
pub const APP_SIZE: Size = Size::new(2, 4);
pub const BALANCER_SIZE: Size = Size::new(2, 4);

pub const LIMITS: Limits = Limits {
    machines: None,
    size: None,
    storage_bytes: None,
    bandwidth_bits_per_s: None,
    transfer_bytes: None,
};

/// Size of a group that names none, given the size of the environment's app machines.
///
/// The document sizes only the application's machines and gives the month's cost: 100, 300 and
/// 1,000 €. With data and ops machines as large as the application's, and balancers of 2x4:
///
/// | | machines | USD a month for them; docs/costs.md has every item |
/// |-|-|-|
/// | dev | 4 × 2x4 | 4 × 24 = 96 |
/// | staging | 10 × 2x4 | 10 × 24 = 240 |
/// | prod | 13 × 4x8, 2 × 2x4 | 13 × 48 + 2 × 24 = 672; 816 with six app machines |
///
/// Smaller Redis and RabbitMQ machines (1x2, 12 USD) would put dev at 72 and leave no memory for
/// the second and third Redis of a machine.
#[must_use]
pub fn size(group: Group, app: Size) -> Size {
    match group {
        Group::Balancer => BALANCER_SIZE,
        _ => app,
    }
}

pub(crate) fn size_reason(group: Group) -> &'static str {
    match group {
        Group::App => "the smallest machine that the document asks for",
        Group::Balancer => "TLS and the request filter need two processors, and little memory",
        _ => "as large as the environment's app machines",
    }
}

/// File system of a machine that names none. Together they stay below the file's quotas (dev 90 of
/// 100 GB, staging 260 of 400, prod 360 of 1,000, 420 with six app machines), and each fits the disk of
/// the smallest machine with 4 GB (80 GB).
#[must_use]
pub fn disk_bytes(group: Group) -> u64 {
    match group {
        // Images of this release and the last ones, exported files.
        Group::App => 20 * GB,
        // Data, binary logs of the retention, and room for a restore beside the old directory.
        Group::Mariadb => 40 * GB,
        // Append-only files and a rewrite of them.
        Group::Redis => 10 * GB,
        Group::Rabbitmq => 20 * GB,
        // Logs only.
        Group::Balancer => 10 * GB,
        // Registry, metrics and logs.
        Group::Ops => 70 * GB,
    }
}

/// Layout of a group that names none, by its number of machines.
#[must_use]
pub fn layout(group: Group, machines: u32) -> Layout {
    match (group, machines) {
        (Group::App | Group::Ops, _) | (_, 0 | 1) => Layout::Single,
        (Group::Mariadb, 2) => Layout::Replica,
        (Group::Mariadb, _) => Layout::Galera,
        (Group::Redis | Group::Rabbitmq, _) => Layout::Cluster,
        (Group::Balancer, _) => Layout::Floating,
    }
}

/// Most machines of a group: the addresses that are kept for it.
#[must_use]
pub fn most_machines(group: Group) -> u32 {
    let (first, last) = crate::topology::address_range(group);
    u32::from(last - first) + 1
}
