//! `localhost/andamio-debian:13`: a minimal Debian that a Containerfile can begin with although no registry can be reached.

use super::Context;
use super::transfer::{Said, feed};
use crate::Instance;
use crate::failure::{fault, remote_fault};
use andamio_engine::{ErrorReport, StepContext};
use andamio_provision::Provider;
use andamio_provision::local::{base, base_arguments};
use andamio_remote::{Session, Stream, quote};
use std::io;

const ANY: &str = "localhost/andamio-debian";
const NAME: &str = "localhost/andamio-debian:13";

/// Sees to it that the builder has it, where the Containerfile names it.
pub(super) async fn bring(
    instance: &Instance,
    session: &Session,
    source: &Context,
    context: &StepContext<'_>,
) -> Result<(), ErrorReport> {
    // A FROM may name it through an argument.
    let text = String::from_utf8_lossy(&source.instructions);
    let args = &instance.request.spec.app.build.args;
    if !args.values().map(String::as_str).chain([&*text]).any(|said| said.contains(ANY)) {
        return Ok(());
    }
    let there = session.output(&format!("podman image exists {NAME}"), &[]).await;
    if there.map_err(|e| remote_fault(&e))?.exit.success() {
        return Ok(());
    }
    let import = |from: &str| {
        format!(
            "podman import --quiet --change ENV=LANG=C.UTF-8 --change 'CMD [\"bash\"]' {from} {NAME}; \
             podman tag {NAME} localhost/andamio-debian:latest"
        )
    };
    let mut said = Said::default();
    let hear = |stream: Stream, bytes: &[u8]| {
        if stream == Stream::Err {
            said.add(bytes);
            if let Some(line) = String::from_utf8_lossy(bytes).lines().last() {
                context.doing(line.trim_start_matches("I: "));
            }
        }
    };
    let ended = match &instance.provider {
        Provider::Local(local) => {
            let path = base(&local.roots, |line| context.doing(line)).await;
            let path = path.map_err(|e| fault(&e))?;
            context.doing(&format!("sending {NAME}"));
            let size = path.metadata().map_or(0, |meta| meta.len());
            let script = format!(
                "set -e; t=$(mktemp /var/tmp/andamio-save.XXXXXX); trap 'rm -f \"$t\"' EXIT; cat >\"$t\"; \
                 [ \"$(wc -c <\"$t\")\" -eq {size} ]; {}",
                import("\"$t\"")
            );
            let send = move |mut out: &mut dyn io::Write| {
                io::copy(&mut std::fs::File::open(path)?, &mut out).map(|_| ())
            };
            feed(session, &script, send, hear).await
        }
        Provider::Hosts(_) => {
            context.doing(&format!("making {NAME} (about half a minute, once)"));
            let arguments = base_arguments();
            let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let script = format!(
                "set -e; d=$(mktemp -d /var/tmp/andamio-build.XXXXXX); trap 'rm -rf \"$d\"' EXIT; \
                 command -v mmdebstrap >/dev/null || {{ export DEBIAN_FRONTEND=noninteractive; apt-get update -qq; \
                 apt-get install -qq -y --no-install-recommends mmdebstrap >/dev/null; }}; \
                 TMPDIR=\"$d\" mmdebstrap {} \"$d/base.tar\"; {}",
                quote(&words),
                import("\"$d/base.tar\"")
            );
            feed(session, &script, |_| Ok(()), hear).await
        }
    };
    let (exit, _) = ended.map_err(|e| remote_fault(&e))?;
    if exit.success() {
        return Ok(());
    }
    Err(ErrorReport::new(
        "build-base",
        format!("cannot make {NAME} on {}:\n{}", session.machine(), said.text()),
        "see that the package mirror can be reached and the disk has room, then run the same command again",
    ))
}
