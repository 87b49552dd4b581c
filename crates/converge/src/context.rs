//! One machine's view of the inputs.

use crate::inputs::Inputs;
use crate::phase::Phase;
use andamio_spec::Place;
use andamio_spec::topology::Machine;

#[derive(Clone, Copy)]
pub(crate) struct RoleContext<'a> {
    pub(crate) inputs: &'a Inputs<'a>,
    pub(crate) machine: &'a Machine,
    pub(crate) phase: Phase,
}

impl RoleContext<'_> {
    /// The operator reaches machines of this host only over its own side of the bridge; elsewhere
    /// nobody knows from where an operator comes.
    pub(crate) fn is_local(&self) -> bool {
        let place = &self.inputs.topology.place;
        self.inputs
            .spec
            .places
            .get(place)
            .map_or(place == andamio_spec::defaults::PLACE, |place| *place == Place::Local)
    }

    pub(crate) fn is_linode(&self) -> bool {
        let place = self.inputs.spec.places.get(&self.inputs.topology.place);
        matches!(place, Some(Place::Linode { .. }))
    }

    /// A server that was somebody's before: who else may log in there is theirs to say.
    pub(crate) fn is_host(&self) -> bool {
        matches!(
            self.inputs.spec.places.get(&self.inputs.topology.place),
            Some(Place::Hosts { .. })
        )
    }

    /// Bytes of the machine's memory in MiB, times a share in per cent.
    pub(crate) fn memory_mib(&self, per_cent: u64) -> u64 {
        self.machine.size.memory_bytes / (1 << 20) * per_cent / 100
    }
}
