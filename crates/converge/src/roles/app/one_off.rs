//! A command in the application's image, beside its processes: migrations and `andamio run`.

use super::{ENV_FILE, USER, host_path};
use crate::inputs::Inputs;

/// The podman command line for an app machine on which [`crate::Phase::Base`] has been applied.
/// Standard input goes to the command, and its output only to the caller, not to the journal: a
/// one-off may print what nobody else should read. Empty without a release.
#[must_use]
pub fn one_off(inputs: &Inputs<'_>, command: &[String]) -> Vec<String> {
    let Some(release) = inputs.release else { return Vec::new() };
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
    argv.push(format!("--env-file={ENV_FILE}"));
    argv.push(format!("--env=ANDAMIO_RELEASE={}", release.id));
    for path in &inputs.spec.app.files {
        argv.push(format!("--volume={}:{path}", host_path(path)));
    }
    // The image's own entry point would take the command as arguments of something else.
    if let Some((program, arguments)) = command.split_first() {
        argv.push(format!("--entrypoint={program}"));
        argv.push(release.image.clone());
        argv.extend_from_slice(arguments);
    } else {
        argv.push(release.image.clone());
    }
    argv
}
