//! What a machine is asked by who knows no secret, and what it has to keep for that.

use crate::context::RoleContext;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::machine::secret_file;
use crate::phase::Phase;
use crate::roles::{self, health};
use crate::secrets::{self, secret_names};
use andamio_manifest::{KEPT, Kept, Kind, Manifest, Resource, STAND_IN, VERSION};
use andamio_spec::topology::Machine;
use andamio_spec::{Spec, Topology};
use std::collections::BTreeMap;

/// A stand-in for every secret. It changes with the secret, whose `marks` are nobody's secret.
#[must_use]
pub fn stand_ins(
    spec: &Spec,
    topology: &Topology,
    marks: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let stand_in = |name: &str| {
        let mark = marks.get(name).map_or("", String::as_str);
        format!("{STAND_IN}{name}-{mark}")
    };
    secret_names(spec, topology).into_iter().map(|s| (s.name.clone(), stand_in(&s.name))).collect()
}

/// What `status` asks a machine, from inputs with stand-ins.
///
/// # Errors
/// As [`crate::manifests`].
pub fn asked(inputs: &Inputs<'_>, machine: &Machine) -> Result<Manifest, Error> {
    secrets::check(inputs)?;
    Ok(Manifest {
        v: VERSION,
        machine: machine.name.clone(),
        keeps_hostname: RoleContext { inputs, machine, phase: Phase::App }.is_host(),
        instance: inputs.topology.instance(),
        // Nothing is changed: there is no newer declaration that this could undo.
        generation: u64::MAX,
        part: false,
        stand_ins: true,
        resources: resources(inputs, machine)?,
    })
}

/// All that it has to be, with the probes of its services in the place of those of a run.
fn resources(inputs: &Inputs<'_>, machine: &Machine) -> Result<Vec<Resource>, Error> {
    let mut all = roles::resources(&RoleContext { inputs, machine, phase: Phase::App })?;
    all.retain(|resource| !matches!(resource.kind, Kind::Probe(_)));
    // Several services may ask the same thing; a manifest has every resource once.
    for probe in
        health(inputs, machine).into_iter().flat_map(|s| s.probes.into_iter().chain(s.concerns))
    {
        let resource = Resource::new("status", Kind::Probe(probe));
        if all.iter().all(|known| known.id() != resource.id()) {
            all.push(resource);
        }
    }
    Ok(all)
}

/// Has every machine keep what it is asked with stand-ins. The same in each phase: it is of the whole.
///
/// # Errors
/// As [`crate::manifests`].
pub fn keep(
    inputs: &Inputs<'_>,
    stand_ins: &BTreeMap<String, String>,
    manifests: &mut [Manifest],
) -> Result<(), Error> {
    // Which executable it is says the machine itself.
    let real = Inputs { agent: andamio_manifest::ANY_AGENT, ..*inputs };
    let forms = Inputs { secrets: stand_ins, ..real };
    for manifest in manifests {
        let Some(machine) = inputs.topology.machine(&manifest.machine) else { continue };
        let kept = Kept::of(resources(&real, machine)?, &resources(&forms, machine)?);
        let text = serde_json::to_string(&kept).unwrap_or_default();
        let file = secret_file(KEPT, text, ("root", "root"), 0o600);
        manifest.resources.push(Resource::new("base", Kind::File(file)));
    }
    Ok(())
}
