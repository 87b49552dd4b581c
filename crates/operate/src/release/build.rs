//! Building the image with buildah on a machine of the instance, so that the host needs no container
//! engine, and bringing it to the machines that run it.

use super::{complaint, prune};
use crate::failure::{fault, remote_fault};
use crate::instance::{Shared, while_it_runs};
use andamio_converge::Release;
use andamio_engine::{Action, BoxFuture, ErrorReport, Outcome, StepContext};
use andamio_provision::{MachineState, Provider};
use andamio_remote::{Session, Stream, quote};
use andamio_spec::topology::Role;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Step: put a release's image on every machine of `machines` that lacks it, from any machine that has it; where
/// none has, it is built on `builder` first.
pub(crate) struct Build {
    pub(crate) instance: Shared,
    pub(crate) release: Release,
    /// The source; `None` where what is wanted was recorded, and only images count.
    pub(crate) context: Option<Arc<super::Context>>,
    pub(crate) builder: String,
    pub(crate) machines: Vec<String>,
}

impl Action for Build {
    fn apply<'a>(
        &'a self,
        context: &'a StepContext<'a>,
    ) -> BoxFuture<'a, Result<Outcome, ErrorReport>> {
        Box::pin(async move {
            if let Provider::Local(local) = &self.instance.provider {
                // Again: what the steps before took was not known when the run began.
                local.check_room().map_err(|e| fault(&e))?;
            }
            let mut changed = 0;
            let source = match self.holder().await? {
                Some(holder) => holder,
                None => {
                    let builder = self.session(&self.builder).await?;
                    self.build(&builder, context).await?;
                    changed += 1;
                    builder
                }
            };
            for machine in &self.machines {
                let session = self.session(machine).await?;
                if !has(&session, &self.release).await? {
                    context.doing(&format!("copying {} to {machine}", self.release.image));
                    let work = self.copy(&source, &session);
                    while_it_runs(&self.instance, machine, work).await?;
                    changed += 1;
                }
            }
            Ok(if changed == 0 { Outcome::Ok } else { Outcome::Changed(changed) })
        })
    }
}

impl Build {
    async fn session(&self, machine: &str) -> Result<Arc<Session>, ErrorReport> {
        let inventory = self.instance.inventory();
        let found = inventory.get(machine).ok_or_else(|| {
            ErrorReport::new("build", format!("no machine {machine}"), "run `andamio up` again")
        })?;
        self.instance.nodes.session(found, PATIENCE).await.map_err(|e| remote_fault(&e))
    }

    /// Any machine that has the image: those that need it first, then the builder and all that run the application.
    async fn holder(&self) -> Result<Option<Arc<Session>>, ErrorReport> {
        let topology = &self.instance.topology;
        let apps = topology.with_role(Role::App).map(|machine| &machine.name);
        let inventory = self.instance.inventory();
        let mut asked: Vec<&String> = Vec::new();
        for name in self.machines.iter().chain([&self.builder]).chain(apps) {
            let runs = inventory.get(name).is_some_and(|m| m.state == MachineState::Running);
            if runs && !asked.contains(&name) {
                asked.push(name);
            }
        }
        let asked = asked.into_iter().map(|name| async move {
            let session = self.session(name).await.ok()?;
            has(&session, &self.release).await.is_ok_and(|has| has).then_some(session)
        });
        Ok(join_all(asked).await.into_iter().flatten().next())
    }

    async fn build(&self, session: &Session, context: &StepContext<'_>) -> Result<(), ErrorReport> {
        let Some(source) = &self.context else {
            let message = format!("no machine has the image of release {}", self.release.id);
            let help = "run `andamio up` in the project's folder: it builds what is there";
            return Err(ErrorReport::new("no-image", message, help));
        };
        let machines = self.machines.iter().chain([&self.builder]).cloned().collect();
        prune::prune(&self.instance, &self.release, machines).await;
        context.doing(&format!("building {}", self.release.image));
        let work = self.build_from(source, session, context);
        while_it_runs(&self.instance, &self.builder, work).await
    }

    async fn build_from(
        &self,
        source: &super::Context,
        session: &Session,
        context: &StepContext<'_>,
    ) -> Result<(), ErrorReport> {
        let mut said = Vec::new();
        let script = script(&self.release.image, source.takes_target);
        let exit = session
            .stream(&script, &source.archive, |stream, bytes| {
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
        let said = String::from_utf8_lossy(&said);
        let fault = complaint::fault(&said, source, &self.builder);
        Err(if fault.code == complaint::SPACE { prune::used(session, fault).await } else { fault })
    }

    /// From the builder to another machine, through the operator.
    async fn copy(&self, builder: &Session, session: &Session) -> Result<(), ErrorReport> {
        let save = format!(
            "set -e; t=$(mktemp -u /var/tmp/andamio-save.XXXXXX); trap 'rm -f \"$t\"' EXIT; \
             podman save --quiet -o \"$t\" {}; cat \"$t\"",
            quote(&[&self.release.image])
        );
        let saved = builder.output(&save, &[]).await.map_err(|e| remote_fault(&e))?;
        if !saved.exit.success() {
            return Err(ErrorReport::new(
                "image-copy",
                saved.complaint(),
                "run the same command again",
            ));
        }
        let sent = session.upload(&saved.stdout, &self.release.archive, 0o600).await;
        let sent = sent.map_err(|e| remote_fault(&e))?;
        if !sent.exit.success() {
            return Err(ErrorReport::new(
                "image-copy",
                sent.complaint(),
                "is the machine's disk full?",
            ));
        }
        Ok(())
    }
}

/// What builds the image from a context on standard input, in a folder that goes away, whatever happens. A build
/// that lost its power left its own. What a machine's limits are is said because buildah would raise
/// them, which a machine without CAP_SYS_RESOURCE may not.
#[must_use]
pub fn script(image: &str, takes_target: bool) -> String {
    let target = if takes_target { "--build-context target=\"$d/target\"" } else { "" };
    format!(
        "set -e; rm -rf /var/tmp/andamio-build.* /var/tmp/andamio-save.*; buildah rm --all >/dev/null 2>&1 || :; \
         d=$(mktemp -d /var/tmp/andamio-build.XXXXXX); \
         trap 's=$?; [ $s -eq 0 ] || buildah rm --all >/dev/null 2>&1 || :; rm -rf \"$d\"; exit $s' EXIT; \
         mkdir \"$d/tmp\"; export TMPDIR=\"$d/tmp\"; tar -x -p -C \"$d\" --no-same-owner --warning=no-timestamp; \
         most() {{ n=$(sed -n \"s/^Max $1 *[^ ]* *\\([^ ]*\\).*/\\1/p\" /proc/self/limits); \
         [ \"$n\" = unlimited ] && n=-1; echo \"$n:$n\"; }}; \
         buildah build --quiet --isolation chroot --layers=false --pull=missing \
         --ulimit nofile=\"$(most 'open files')\" --ulimit nproc=\"$(most processes)\" {target} \
         --ignorefile \"$d/ignore\" -f \"$d/Containerfile\" -t {} \"$d/context\"",
        quote(&[image])
    )
}

async fn has(session: &Session, release: &Release) -> Result<bool, ErrorReport> {
    let command = format!("podman image exists {}", quote(&[&release.image]));
    let output = session.output(&command, &[]).await.map_err(|e| remote_fault(&e))?;
    Ok(output.exit.success())
}
