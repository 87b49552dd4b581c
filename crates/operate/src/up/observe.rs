//! What is live: machines from the place, and every running machine's own answer, all at once.

use super::manifest;
use super::observed::{Checked, Observed};
use crate::failure::UNREACHABLE;
use crate::instance::Shared;
use andamio_converge::ClusterManifest;
use andamio_manifest::Manifest;
use andamio_provision::MachineState;
use andamio_spec::Group;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};

/// Asks all machines, or those of the groups that the limited ones belong to: what may be done to one depends on
/// its group, and nobody else is disturbed.
pub(super) async fn observe(
    instance: &Shared,
    manifests: &[Manifest],
    parts: &[ClusterManifest],
    limit: &[String],
) -> Observed {
    let inventory = instance.inventory();
    let group = |name: &str| instance.topology.machine(name).map(|machine| machine.group);
    let groups: BTreeSet<Group> = limit.iter().filter_map(|name| group(name)).collect();
    let matters = |name: &str| limit.is_empty() || group(name).is_some_and(|g| groups.contains(&g));
    let running = manifests.iter().filter(|m| matters(&m.machine)).filter_map(|manifest| {
        let found = inventory.get(&manifest.machine)?;
        (found.state == MachineState::Running).then_some((manifest, found))
    });
    let asked = running.map(|(manifest, found)| async move {
        let mut manifest = manifest.clone();
        let answer = match manifest::peek(instance, &manifest).await {
            Ok(generation) => {
                manifest.generation = generation;
                instance.nodes.apply(found, &manifest, true, |_| {}).await
            }
            Err(failure) => Err(failure.error),
        };
        let checked = match answer {
            Ok(said) => Checked::Answered(said),
            Err(fault) => Checked::Silent { hangs: fault.code == UNREACHABLE, why: fault.message },
        };
        (manifest.machine.clone(), checked)
    });
    let checks: BTreeMap<String, Checked> = join_all(asked).await.into_iter().collect();
    let answers = |machine: &str| matches!(checks.get(machine), Some(Checked::Answered(_)));
    let asked = parts.iter().flat_map(|part| {
        let live = part.manifests.iter().filter(|m| answers(&m.machine));
        live.take(if part.each { usize::MAX } else { 1 }).map(move |m| (part.group, m))
    });
    let asked = asked.filter_map(|(group, manifest)| {
        let found = inventory.get(&manifest.machine)?;
        Some(async move {
            let said = instance.nodes.apply(found, manifest, true, |_| {}).await.ok()?;
            Some((group, manifest.machine.clone(), said))
        })
    });
    let (clusters, shared) = tokio::join!(join_all(asked), instance.provider.shared_resources());
    let clusters = clusters.into_iter().flatten().collect();
    Observed {
        clusters,
        checks,
        // Again: one that ended while it was asked is not one that hangs.
        inventory: instance.inventory(),
        shared,
    }
}
