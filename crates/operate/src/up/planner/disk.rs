//! Declared disks against what machines have and what the host has left.

use super::Input;
use crate::plan::Refused;
use andamio_spec::topology::Machine;
use andamio_spec::units::format_bytes;

/// A disk grows when its machine is started again; smaller it is only made anew, which costs its data.
pub(super) fn shrinking(input: &Input<'_>) -> Vec<Refused> {
    let wanted = |m: &&Machine| input.limit.is_empty() || input.limit.contains(&m.name);
    let larger = |machine: &Machine| {
        let has = input.observed.inventory.get(&machine.name)?.disk_bytes;
        (has > machine.disk_bytes).then(|| Refused {
            code: "disk-shrinks".to_owned(),
            rule: format!("environments.{}.{}.disk", input.topology.env, machine.group),
            message: format!(
                "{} has a disk of {}, and {} are declared: a disk only grows",
                machine.name,
                format_bytes(has),
                format_bytes(machine.disk_bytes)
            ),
            help: format!(
                "declare `disk = \"{}\"` or more; for a smaller one, take the environment down first",
                format_bytes(has)
            ),
        })
    };
    input.topology.machines.iter().filter(wanted).filter_map(larger).collect()
}

/// Disks take room on the host only as they fill, so more can be declared than is there. How much is free
/// is not said: it changes, and a plan that was reviewed would not be the same any more.
pub(super) fn overcommitted(input: &Input<'_>) -> Option<String> {
    let disks: u64 = input.topology.machines.iter().map(|m| m.disk_bytes).sum();
    (disks > input.observed.shared.free_bytes).then(|| {
        format!(
            "disks may fill up to {} together, more than this host has free: a full host stops them all",
            format_bytes(disks)
        )
    })
}
