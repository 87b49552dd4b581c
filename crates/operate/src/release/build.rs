//! Building the image with buildah on a machine of the instance, so that the host needs no container
//! engine, and bringing it to the machines that run it.

use crate::failure::{fault, remote_fault};
use crate::instance::{Shared, while_it_runs};
use andamio_converge::Release;
use andamio_engine::{Action, BoxFuture, Fault, Outcome, StepContext};
use andamio_provision::Provider;
use andamio_remote::{Session, Stream, quote};
use std::sync::Arc;
use std::time::Duration;

/// Where images wait on a machine until podman has them.
pub const ARCHIVES: &str = "/var/lib/andamio/images";
const PATIENCE: Duration = Duration::from_secs(30);

/// Step: build a release on `builder` unless it is there, and put its archive on every other machine
/// of `machines` that lacks the image.
pub struct Build {
    pub(crate) instance: Shared,
    pub(crate) release: Release,
    pub(crate) context: Arc<super::Context>,
    pub(crate) builder: String,
    pub(crate) machines: Vec<String>,
}

impl Action for Build {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> BoxFuture<'a, Result<Outcome, Fault>> {
        Box::pin(async move {
            if let Provider::Local(local) = &self.instance.provider {
                // Again: what the steps before took was not known when the run began.
                local.check_room().map_err(|e| fault(&e))?;
            }
            let builder = self.session(&self.builder).await?;
            let mut changed = 0;
            if !has(&builder, &self.release).await? {
                context.doing(&format!("building {}", self.release.image));
                let work = self.build(&builder, context);
                while_it_runs(&self.instance, &self.builder, work).await?;
                changed += 1;
            }
            for machine in self.machines.iter().filter(|m| **m != self.builder) {
                let session = self.session(machine).await?;
                if !has(&session, &self.release).await? {
                    context.doing(&format!("copying {} to {machine}", self.release.image));
                    let work = self.copy(&builder, &session);
                    while_it_runs(&self.instance, machine, work).await?;
                    changed += 1;
                }
            }
            Ok(if changed == 0 { Outcome::Ok } else { Outcome::Changed(changed) })
        })
    }
}

impl Build {
    async fn session(&self, machine: &str) -> Result<Arc<Session>, Fault> {
        let inventory = self.instance.inventory();
        let found = inventory.get(machine).ok_or_else(|| {
            Fault::new("build", format!("no machine {machine}"), "run `andamio up` again")
        })?;
        self.instance.nodes.session(found, PATIENCE).await.map_err(|e| remote_fault(&e))
    }

    async fn build(&self, session: &Session, context: &StepContext<'_>) -> Result<(), Fault> {
        let image = quote(&[&self.release.image]);
        // Everything in a folder that goes away, whatever happens. A build that lost its power left its own.
        let script = format!(
            "set -e; rm -rf /var/tmp/andamio-build.* /var/tmp/andamio-save.*; buildah rm --all >/dev/null 2>&1 || :; \
             d=$(mktemp -d /var/tmp/andamio-build.XXXXXX); trap 'rm -rf \"$d\"' EXIT; \
             tar -x -C \"$d\" --no-same-owner; mkdir -p \"$d/target\"; \
             buildah build --quiet --isolation chroot --layers=false --pull=missing \
             --build-context target=\"$d/target\" -f \"$d/context/Containerfile\" -t {image} \"$d/context\""
        );
        let mut said = Vec::new();
        let exit = session
            .stream(&script, &self.context.tar(), |stream, bytes| {
                if stream == Stream::Err {
                    said.extend_from_slice(bytes);
                    if let Some(line) = String::from_utf8_lossy(bytes).lines().last() {
                        context.doing(line);
                    }
                }
                Ok(())
            })
            .await
            .map_err(|e| remote_fault(&e))?;
        if exit.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = text.lines().rev().take(12).collect();
        let tail = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
        Err(Fault::new(
            "image-build",
            format!("buildah could not build the Containerfile:\n{tail}"),
            "mend the Containerfile, then run the same command again",
        ))
    }

    /// From the builder to another machine, through the operator.
    async fn copy(&self, builder: &Session, session: &Session) -> Result<(), Fault> {
        let save = format!(
            "set -e; t=$(mktemp -u /var/tmp/andamio-save.XXXXXX); trap 'rm -f \"$t\"' EXIT; \
             podman save --quiet -o \"$t\" {}; cat \"$t\"",
            quote(&[&self.release.image])
        );
        let saved = builder.output(&save, &[]).await.map_err(|e| remote_fault(&e))?;
        if !saved.exit.success() {
            return Err(Fault::new("image-copy", saved.complaint(), "run the same command again"));
        }
        let sent = session.upload(&saved.stdout, &self.release.archive, 0o600).await;
        let sent = sent.map_err(|e| remote_fault(&e))?;
        if !sent.exit.success() {
            return Err(Fault::new("image-copy", sent.complaint(), "is the machine's disk full?"));
        }
        Ok(())
    }
}

async fn has(session: &Session, release: &Release) -> Result<bool, Fault> {
    let command = format!("podman image exists {}", quote(&[&release.image]));
    let output = session.output(&command, &[]).await.map_err(|e| remote_fault(&e))?;
    Ok(output.exit.success())
}
