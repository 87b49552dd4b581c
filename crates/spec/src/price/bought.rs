//! From declared machines to those that are bought.

use super::bill::CostError;
use super::list::{self, MachineType};
use crate::model::{Environment, Group, GroupSpec};
use crate::units::{TB, format_bytes};
use std::collections::BTreeMap;

/// Machines of one group as they are bought: what a bill and a `terraform.tfvars` are both made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Bought {
    pub group: Group,
    pub machine: MachineType,
    pub count: u32,
    /// A volume for each machine; 0: none.
    pub volume_gb: u32,
    /// The platform's backups of whole machines.
    pub backups: bool,
}

/// What so many machines in each group of the environment are bought as.
///
/// # Errors
/// A size is not on the list.
pub fn bought(
    env: &Environment,
    machines: &BTreeMap<Group, u32>,
    types: &[MachineType],
) -> Result<Vec<Bought>, CostError> {
    let count = |group: &Group| machines.get(group).copied().unwrap_or_default();
    let one = |(group, spec): (&Group, &GroupSpec)| {
        Ok(Bought {
            group: *group,
            machine: type_of(*group, spec, types)?.clone(),
            count: count(group),
            volume_gb: list::volume_gb(*group, spec.layout, spec.disk_bytes),
            backups: list::machine_backups(*group),
        })
    };
    env.groups.iter().filter(|(group, _)| count(group) > 0).map(one).collect()
}

/// The machine that is bought for a group: its disk has to hold only what is not on a volume.
pub(crate) fn type_of<'t>(
    group: Group,
    spec: &GroupSpec,
    types: &'t [MachineType],
) -> Result<&'t MachineType, CostError> {
    let on_volume = list::volume_gb(group, spec.layout, spec.disk_bytes) > 0;
    let disk = if on_volume { 0 } else { spec.disk_bytes };
    list::machine_type(types, spec.size, disk).ok_or_else(|| CostError::NoMachineType {
        group,
        size: spec.size,
        disk: format_bytes(disk),
    })
}

/// TB a month that the declared machines may send without paying for it.
pub(crate) fn pool_tb(env: &Environment) -> u64 {
    let of = |(group, spec): (&Group, &GroupSpec)| {
        let row = type_of(*group, spec, list::MACHINE_TYPES).ok()?;
        Some(u64::from(row.transfer_tb) * u64::from(spec.machines))
    };
    env.groups.iter().filter_map(of).sum()
}

/// Bytes a month that the limit allows beyond what is included.
pub(crate) fn transfer_beyond(env: &Environment) -> u64 {
    let allowed = env.limits.transfer_bytes.unwrap_or_default();
    allowed.saturating_sub(pool_tb(env).saturating_mul(TB))
}
