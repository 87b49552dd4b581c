//! How far a machine is made true, and whether that is noticed.

use andamio_spec::{Group, Topology};

/// How far a manifest goes. Migrations run between the two, so that new code never meets an old
/// schema: data machines, then app machines with `Base`, then the migration by [`crate::one_off`],
/// then app machines with `App`. Machines without the app role have the same content in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Everything a one-off needs: environment file, image, directories; not the processes, which
    /// stay as they are.
    Base,
    /// Everything.
    App,
}

/// Whether users notice when a machine of this group restarts its service: the group's disruption
/// budget allows none to be away.
pub(crate) fn disrupts(topology: &Topology, group: Group) -> bool {
    topology
        .budgets
        .iter()
        .find(|budget| budget.group == group)
        .map_or_else(|| topology.group(group).count() < 2, |budget| budget.max_unavailable == 0)
}
