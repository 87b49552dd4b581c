//! In which order machines are made true.

use andamio_spec::topology::Role;
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

/// Names of machines in the order in which they are converged; those of one stage in parallel.
/// Stages without machines are left out.
#[must_use]
pub fn stages(topology: &Topology) -> Vec<Vec<String>> {
    [
        &[Group::Mariadb, Group::Redis, Group::Rabbitmq][..],
        &[Group::App],
        // After the application, so that a balancer never begins without a backend.
        &[Group::Balancer],
        &[Group::Ops],
    ]
    .iter()
    .map(|groups| {
        let members = topology.machines.iter().filter(|machine| groups.contains(&machine.group));
        members.map(|machine| machine.name.clone()).collect::<Vec<_>>()
    })
    .filter(|stage| !stage.is_empty())
    .collect()
}

/// Whether users notice when a machine of this role restarts its service: the group's disruption
/// budget allows none to be away.
pub(crate) fn disrupts(topology: &Topology, role: Role) -> bool {
    let group = match role {
        Role::Mariadb => Group::Mariadb,
        Role::Redis => Group::Redis,
        Role::Rabbitmq => Group::Rabbitmq,
        Role::App => Group::App,
        Role::Balancer => Group::Balancer,
        Role::Base | Role::Ops => return false,
    };
    topology
        .budgets
        .iter()
        .find(|budget| budget.group == group)
        .map_or_else(|| topology.group(group).count() < 2, |budget| budget.max_unavailable == 0)
}
