//! What a builder is told to do.

use super::context::COMPLETE;
use andamio_remote::quote;
use andamio_spec::model::Build;
use std::fmt::Write as _;

/// Where RUN finds what it may believe and no image has.
const INSIDE: &str = "/run/andamio";
/// Names under which programs look for a file of authorities. Some have one of their own beside the common one.
const ANNOUNCED: &[&str] = &[
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
];

/// What builds the image from a context on standard input, in a folder that goes away, whatever happens. A build
/// that lost its power left its own. What a machine's limits are is said because buildah would raise
/// them, which a machine without CAP_SYS_RESOURCE may not. Layers are kept: what is equal is not done again.
#[must_use]
pub fn script(image: &str, takes_target: bool, build: &Build) -> String {
    let mut options = String::new();
    if takes_target {
        options += " --build-context target=\"$d/target\"";
    }
    for (name, value) in &build.args {
        let _ = write!(options, " --build-arg {}", quote(&[&format!("{name}={value}")]));
    }
    if let Some(stage) = &build.target {
        let _ = write!(options, " --target {}", quote(&[stage]));
    }
    for name in &build.secrets {
        let _ = write!(options, " --secret id={name},src=\"$d/secrets/{name}\"");
    }
    let mut before = String::new();
    if build.trust.is_some() {
        // Programs take it for all that there is: with what the builder itself believes.
        let conf = format!("Acquire::https::CaInfo \\\"{INSIDE}/trust.pem\\\";");
        before = format!(
            "mkdir \"$d/trust\"; cat /etc/ssl/certs/ca-certificates.crt \"$d/trust.pem\" 2>/dev/null \
             >\"$d/trust/trust.pem\" || :; echo \"{conf}\" >\"$d/trust/apt.conf\"; \
             chmod -R u=rwX,go=rX \"$d/trust\";"
        );
        let _ = write!(options, " --volume \"$d/trust:{INSIDE}:ro\"");
        let files = ANNOUNCED.iter().map(|name| (*name, "trust.pem"));
        for (name, file) in files.chain([("APT_CONFIG", "apt.conf")]) {
            let _ = write!(options, " --env {name}={INSIDE}/{file} --unsetenv {name}");
        }
    }
    format!(
        "set -e; rm -rf /var/tmp/andamio-build.* /var/tmp/andamio-save.*; buildah rm --all >/dev/null 2>&1 || :; \
         d=$(mktemp -d /var/tmp/andamio-build.XXXXXX); \
         trap 's=$?; [ $s -eq 0 ] || buildah rm --all >/dev/null 2>&1 || :; rm -rf \"$d\"; exit $s' EXIT; \
         mkdir \"$d/tmp\"; export TMPDIR=\"$d/tmp\"; tar -x -p -C \"$d\" --no-same-owner --warning=no-timestamp; \
         [ -e \"$d/{COMPLETE}\" ] || {{ echo 'not everything arrived' >&2; exit 1; }}; {before} \
         most() {{ n=$(sed -n \"s/^Max $1 *[^ ]* *\\([^ ]*\\).*/\\1/p\" /proc/self/limits); \
         [ \"$n\" = unlimited ] && n=-1; echo \"$n:$n\"; }}; \
         buildah build --quiet --isolation chroot --layers --layer-label andamio.layer=1 --pull=missing \
         --ulimit nofile=\"$(most 'open files')\" --ulimit nproc=\"$(most processes)\"{options} \
         --ignorefile \"$d/ignore\" -f \"$d/Containerfile\" -t {} \"$d/context\"",
        quote(&[image])
    )
}

#[cfg(test)]
mod tests {
    use super::{Build, script};

    #[test]
    fn a_shell_takes_values_as_they_are() {
        let value = "a 'b' \"c\" $HOME `id`\nd";
        let args = [("A".to_owned(), value.to_owned())].into();
        let secrets = vec!["TOKEN".to_owned()];
        let script = script("x:1", false, &Build { args, secrets, ..Build::default() });
        assert!(script.contains("--secret id=TOKEN,src=\"$d/secrets/TOKEN\""));
        let tail = &script[script.find("buildah build").unwrap()..];
        let line = format!("d=x; most() {{ :; }}; buildah() {{ printf '%s\\0' \"$@\"; }}; {tail}");
        let said = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.split('\0').any(|word| word == format!("A={value}")), "{said}");
    }
}
