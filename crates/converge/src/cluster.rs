//! What a cluster as a whole has to be, beyond what each of its machines has by itself.

use crate::context;
use crate::inputs::Inputs;
use crate::phase::Phase;
use crate::roles::table;
use andamio_manifest::{Manifest, Resource, VERSION};
use andamio_spec::Group;

/// The cluster of one group.
#[derive(Debug, Clone)]
pub struct ClusterManifest {
    pub group: Group,
    /// One manifest for each machine that can be asked.
    pub manifests: Vec<Manifest>,
    /// Each is asked about itself; otherwise any one of them speaks for all.
    pub each: bool,
}

/// The clusters of an environment; none where every service has one server. They are looked at beside
/// the machines' own manifests, and made true after these.
#[must_use]
pub fn parts(inputs: &Inputs<'_>) -> Vec<ClusterManifest> {
    let part = |group: Group| {
        let cluster = table(group.role()).cluster.as_ref()?;
        let kind = (cluster.whole)(inputs)?;
        let manifests = inputs.topology.group(group).map(|machine| Manifest {
            v: VERSION,
            machine: machine.name.clone(),
            keeps_hostname: context::RoleContext { inputs, machine, phase: Phase::App }.is_host(),
            instance: inputs.topology.instance(),
            generation: 0,
            part: true,
            stand_ins: false,
            resources: vec![Resource::new(group.as_str(), kind.clone())],
        });
        Some(ClusterManifest { group, manifests: manifests.collect(), each: cluster.each })
    };
    Group::ALL.into_iter().filter_map(part).collect()
}
