//! Writes the manifest of one machine as JSON, with fixed secrets: for trying it on a machine.
//!
//! `render ANDAMIO_TOML ENV NETWORK MACHINE KEYS_FILE GENERATION [IMAGE ARCHIVE]`

use andamio_converge::{Inputs, Release, manifests, secret_names};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, env, network, machine, keys, generation, release @ ..] = arguments.as_slice() else {
        return Err(
            "render ANDAMIO_TOML ENV NETWORK MACHINE KEYS GENERATION [IMAGE ARCHIVE]".into()
        );
    };
    let spec = andamio_spec::parse(file, &std::fs::read_to_string(file)?)
        .spec
        .ok_or("andamio.toml has errors")?;
    let topology = andamio_spec::topology::compute(&spec, env, "local", network.parse()?)?;
    let secrets: BTreeMap<String, String> = secret_names(&spec, &topology)
        .into_iter()
        .map(|secret| (secret.name, "0123456789abcdef".repeat(4)))
        .collect();
    let release = match release {
        [image, archive] => Some(Release {
            id: image.rsplit(':').next().unwrap_or_default().to_owned(),
            image: image.clone(),
            archive: archive.clone(),
        }),
        _ => None,
    };
    let keys: Vec<String> = std::fs::read_to_string(keys)?.lines().map(str::to_owned).collect();
    let inputs = Inputs {
        spec: &spec,
        topology: &topology,
        environment: spec.environments.iter().find(|e| e.name == *env).ok_or("no environment")?,
        secrets: &secrets,
        release: release.as_ref(),
        operator_keys: &keys,
        resolver: None,
        agent: "0011223344556677",
        generation: generation.parse()?,
    };
    let all = manifests(&inputs)?;
    let one = all.iter().find(|m| m.machine == *machine).ok_or("no such machine")?;
    std::io::stdout().write_all(&serde_json::to_vec(one)?)?;
    Ok(())
}
