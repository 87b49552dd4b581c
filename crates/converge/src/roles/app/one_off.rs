//! A command in the application's image, beside its processes: migrations, `andamio run`, and the load of
//! a drill.

use super::{ENV_FILE, USER, environment, host_path};
use crate::inputs::{Inputs, Release};
use crate::tls;
use andamio_manifest::AUTHORITY;

/// The podman command line for an app machine on which [`crate::Phase::Base`] has been applied.
/// Standard input goes to the command, and its output only to the caller, not to the journal: a
/// one-off may print what nobody else should read. Empty without a release.
#[must_use]
pub fn one_off(inputs: &Inputs<'_>, command: &[String]) -> Vec<String> {
    let Some(release) = inputs.release else { return Vec::new() };
    let mut own =
        vec![format!("--env-file={ENV_FILE}"), format!("--env=ANDAMIO_RELEASE={}", release.id)];
    for name in environment::stored(inputs).keys() {
        own.push(format!("--secret={}", environment::reference(name)));
    }
    if tls::is_there(inputs) {
        own.push(authority());
    }
    for path in &inputs.spec.app.files {
        own.push(format!("--volume={}:{path}", host_path(path)));
    }
    podman(release, own, command)
}

/// The same on any machine that has the image, for a command that looks at the application from outside:
/// without its environment, secrets and files. `trusts` is whether the environment has an authority.
#[must_use]
pub fn outsider(release: &Release, trusts: bool, command: &[String]) -> Vec<String> {
    podman(release, trusts.then(authority).into_iter().collect(), command)
}

fn authority() -> String {
    format!("--volume={AUTHORITY}:{AUTHORITY}:ro")
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
        "--read-only",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
    ]
    .map(str::to_owned)
    .to_vec();
    argv.push(format!("--user={USER}:{USER}"));
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
