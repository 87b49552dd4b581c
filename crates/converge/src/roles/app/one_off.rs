//! A command in the application's image, beside its processes: migrations, `andamio run`, and the load of
//! a drill.

use super::container::Whose;
use super::{default_process, environment};
use crate::error::Error;
use crate::inputs::{Inputs, Release};
use andamio_manifest::AUTHORITY;

/// The podman command line for an app machine on which [`crate::Phase::Base`] has been applied: in a container
/// like that of `process`, or of the one that serves the public where none is named.
/// Standard input goes to the command, and its output only to the caller, not to the journal: a
/// one-off may print what nobody else should read. Empty without a release.
///
/// # Errors
/// When a variable refers to what the environment does not have.
pub fn one_off(
    inputs: &Inputs<'_>,
    process: Option<&str>,
    command: &[String],
) -> Result<Vec<String>, Error> {
    let Some(release) = inputs.release else { return Ok(Vec::new()) };
    let process = process.or_else(|| default_process(inputs.spec));
    let whose = Whose { inputs, process };
    let mut own = whose.options();
    own.push(format!("--env-file={}", whose.env_file()));
    own.push(format!("--env=ANDAMIO_RELEASE={}", release.id));
    for (id, (name, _)) in whose.stored()? {
        own.push(format!("--secret={}", environment::reference(&id, &name)));
    }
    for mount in whose.mounts() {
        let mode = if mount.read_only { ":ro" } else { "" };
        own.push(format!("--volume={}:{}{mode}", mount.host, mount.path));
    }
    Ok(podman(release, own, command))
}

/// The same on any machine that has the image, for a command that looks at the application from outside:
/// without its environment, secrets and files, and without any right. `trusts` is whether the environment has an
/// authority.
#[must_use]
pub fn outsider(release: &Release, trusts: bool, command: &[String]) -> Vec<String> {
    let mut own: Vec<String> =
        ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--user=10001:10001"]
            .map(str::to_owned)
            .to_vec();
    own.extend(trusts.then(|| format!("--volume={AUTHORITY}:{AUTHORITY}:ro")));
    podman(release, own, command)
}

fn podman(release: &Release, own: Vec<String>, command: &[String]) -> Vec<String> {
    let mut argv: Vec<String> = [
        "podman",
        "run",
        "--rm",
        "--interactive",
        "--pull=never",
        "--network=host",
        "--cgroups=disabled",
        "--log-driver=none",
    ]
    .map(str::to_owned)
    .to_vec();
    argv.extend(own);
    // The image's own entry point would take the command as arguments of something else.
    let (entry, arguments) = match command.split_first() {
        Some((program, arguments)) => (Some(format!("--entrypoint={program}")), arguments),
        None => (None, command),
    };
    argv.extend(entry);
    argv.push(release.image.clone());
    argv.extend_from_slice(arguments);
    argv
}
