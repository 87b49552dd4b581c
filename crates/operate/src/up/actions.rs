//! What the steps of `up` do: each action makes one thing true and says what it came to.

use super::manifest;
use super::remedy::remedy;
use crate::actor::heard;
use crate::failure::{fault, remote_fault};
use crate::instance::{Shared, while_it_runs};
use crate::{command, machine_image, release};
use andamio_converge::{Release, authority_certificate};
use andamio_engine::{Action, BoxFuture, ErrorReport, Outcome, State, StepContext};
use andamio_manifest::{Event, Manifest, Outcome as Came};
use andamio_provision::MachineState;
use andamio_provision::local::{Seed, note_owner};
use andamio_remote::KeyPair;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::sync::watch;

/// A machine that has not answered by then will not.
const BOOT: Duration = Duration::from_secs(60);

pub(super) struct BuildImage(pub(super) Shared);
pub(super) struct Network(pub(super) Shared);
pub(super) struct Delete(pub(super) Shared, pub(super) String);
/// What is left of an environment without machines.
pub(super) struct Remove(pub(super) Shared);
pub(super) struct Machine(pub(super) Shared, pub(super) String, pub(super) How);
pub(super) struct Converge(pub(super) Shared, pub(super) Manifest);
pub(super) struct Migrate(pub(super) Shared, pub(super) String, pub(super) Release);
/// Asks every machine that runs for what it serves, and waits for it.
pub(super) struct Ready(pub(super) Shared, pub(super) Vec<Manifest>);
/// The last: machines that have images.
pub(super) struct Live(pub(super) Shared, pub(super) Release, pub(super) Vec<String>);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Create,
    Start,
    Restart,
}

type Done<'a> = BoxFuture<'a, Result<Outcome, ErrorReport>>;

impl Action for BuildImage {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let local = self.0.local()?;
            let built = local.image.build(&machine_image(), |text| context.doing(text)).await;
            Ok(if built.map_err(|e| fault(&e))? { Outcome::Changed(1) } else { Outcome::Ok })
        })
    }
}

impl Action for Network {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let local = self.0.local()?;
            let was = local.network_is_up();
            local.network_up().await.map_err(|e| fault(&e))?;
            note_owner(&local.roots, &local.id, &self.0.owner.text()).map_err(|e| fault(&e))?;
            if let Some(certificate) = authority_certificate(self.0.secrets.values()) {
                local.publish(certificate).map_err(|e| fault(&e))?;
            }
            Ok(if was { Outcome::Ok } else { Outcome::Changed(1) })
        })
    }
}

impl Action for Delete {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            self.0.local()?.destroy(&self.1).await.map_err(|e| fault(&e))?;
            manifest::forget(&self.0.store, &self.1).await.map_err(|f| f.error)?;
            Ok(Outcome::Changed(1))
        })
    }
}

impl Action for Remove {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            for machine in &self.0.topology.machines {
                manifest::forget(&self.0.store, &machine.name).await.map_err(|f| f.error)?;
            }
            release::forget(&self.0.store).await.map_err(|f| f.error)?;
            self.0.local()?.destroy_instance().await.map_err(|e| fault(&e))?;
            Ok(Outcome::Changed(1))
        })
    }
}

impl Action for Machine {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let Self(instance, name, how) = self;
            let machine = instance.topology.machine(name).ok_or_else(|| {
                ErrorReport::new(
                    "machine",
                    format!("no machine {name}"),
                    "run `andamio plan` again",
                )
            })?;
            let local = instance.local()?;
            match how {
                How::Create => {
                    let key = KeyPair::generate().map_err(|e| remote_fault(&e))?;
                    let operator = format!("{}\n", instance.wanted_keys().join("\n"));
                    let seed = Seed {
                        host_key: (&key.private, &key.public),
                        operator: &operator,
                        resolver: instance.resolver.as_deref().unwrap_or_default(),
                    };
                    // Whatever was left of a machine of that name has no disk that counts.
                    local.kill(name).await.map_err(|e| fault(&e))?;
                    local.create(machine, &seed).await.map_err(|e| fault(&e))?;
                }
                How::Restart => local.kill(name).await.map_err(|e| fault(&e))?,
                How::Start => {}
            }
            instance.nodes.forget(name).await;
            let program = instance.request.program.display().to_string();
            let launcher = [program, "machine".to_owned(), "launch".to_owned()];
            let mut started = local.start(machine, &launcher).await.map_err(|e| fault(&e))?;
            if let Some(said) = &started.repaired {
                let message =
                    "it was damaged and has been repaired: what was written last may be lost";
                context.resource("disk", State::Changed, 0, message, said);
            }
            context.doing("waiting for SSH");
            let inventory = instance.inventory();
            let found = inventory.get(name).ok_or_else(|| {
                ErrorReport::new(
                    "machine",
                    format!("no machine {name}"),
                    "run `andamio plan` again",
                )
            })?;
            tokio::select! {
                session = instance.nodes.session(found, BOOT) => {
                    session.map_err(|e| remote_fault(&e))?;
                }
                failure = started.failure() => return Err(fault(&failure)),
            }
            Ok(Outcome::Changed(1))
        })
    }
}

impl Action for Converge {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let Self(instance, manifest) = self;
            let mut manifest = manifest.clone();
            if !manifest.part {
                manifest::number(instance, &mut manifest).await.map_err(|f| f.error)?;
            }
            let inventory = instance.inventory();
            let found = inventory.get(&manifest.machine).ok_or_else(|| {
                ErrorReport::new("machine", "the machine is gone", "run the same command again")
            })?;
            let waits = watch::Sender::new(false);
            let work = instance.nodes.apply(found, &manifest, false, |event| {
                waits.send_replace(matches!(event, Event::Started { waits: true, .. }));
                forward(context, event);
            });
            // A wait changes nothing and is left at once; anything else is finished first.
            let stop = async {
                context.stopped().await;
                let _ = waits.subscribe().wait_for(|waits| *waits).await;
            };
            let work = async {
                tokio::select! {
                    biased;
                    said = work => said,
                    () = stop => {
                        instance.nodes.forget(&manifest.machine).await;
                        Err(ErrorReport::stopped(format!("{} is not waited for", manifest.machine)))
                    }
                }
            };
            let said = while_it_runs(instance, &manifest.machine, work).await?;
            if said.report.failed == 0 && said.report.skipped == 0 {
                // Servers that exist are told by another step, which leaves keys there.
                if !manifest.part && instance.local().is_ok() {
                    heard::note(&instance.store, &instance.actors, &manifest.machine)
                        .await
                        .map_err(|f| f.error)?;
                }
                return Ok(if said.report.changed == 0 {
                    Outcome::Ok
                } else {
                    Outcome::Changed(said.report.changed)
                });
            }
            let mut failed = said.events.iter().filter_map(|event| match event {
                Event::Resource { resource, outcome: Came::Failed, message, cause, .. } => {
                    Some((format!("{resource} on {}: {message}", manifest.machine), *cause))
                }
                _ => None,
            });
            let (mut message, cause) = failed.next().unwrap_or_else(|| {
                (format!("{} was interrupted before it was done", manifest.machine), None)
            });
            for (another, _) in failed {
                message.push('\n');
                message.push_str(&another);
            }
            let help = remedy(cause, &instance.topology.env, &manifest.machine);
            Err(ErrorReport::new("converge", message, &help))
        })
    }
}

impl Action for Ready {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let Self(instance, manifests) = self;
            let inventory = instance.inventory();
            let runs = |manifest: &&Manifest| {
                let found = inventory.get(&manifest.machine);
                found.is_some_and(|found| found.state == MachineState::Running)
            };
            let asked = manifests.iter().filter(|m| !m.resources.is_empty()).filter(runs);
            let asked = asked.map(|manifest| async move {
                Converge(instance.clone(), manifest.clone()).apply(context).await
            });
            let answers = join_all(asked).await;
            answers.into_iter().collect::<Result<Vec<_>, _>>().map(|_| Outcome::Ok)
        })
    }
}

/// From the node's words to the run's events.
fn forward(context: &StepContext<'_>, event: &Event) {
    match event {
        Event::Started { resource, doing, .. } => {
            context.resource(resource, State::Waiting, 0, doing, "");
        }
        Event::Resource { resource, outcome, diff, message, ms, .. } => {
            let state = match outcome {
                Came::Ok | Came::Skipped => State::Ok,
                Came::Changed => State::Changed,
                Came::Failed => State::Failed,
            };
            if !matches!(outcome, Came::Skipped) {
                context.resource(resource, state, *ms, message, diff);
            }
        }
        Event::Done(_) => {}
    }
}

const VERB: &str = "the last word, `up`, is Andamio's: a list in `migrate` of [app] is called with up, down or status. A \
     command that knows none of them is written as it is, for example migrate = { up = [\"manage.py\", \"migrate\"] }; \
     otherwise mend the migration, then run the same command again";

impl Action for Migrate {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let Self(instance, machine, release) = self;
            let migrate = &instance.request.spec.app.migrate;
            let Some(argv) = migrate.up() else { return Ok(Outcome::Ok) };
            context.doing(&argv.join(" "));
            let work = command::one_off(instance, machine, release, &argv);
            let output = while_it_runs(instance, machine, work).await?;
            if output.exit.success() {
                return Ok(Outcome::Ok);
            }
            let said = String::from_utf8_lossy(&output.stdout);
            let message = format!("`{}`: {} {}", argv.join(" "), said.trim(), output.complaint());
            let help = match migrate {
                andamio_spec::Migrate::Verb(_) => VERB,
                _ => "mend the migration, then run the same command again",
            };
            Err(ErrorReport::new("migrate", message, help))
        })
    }
}

impl Action for Live {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            release::record(&self.0, &self.1, self.2.clone()).await.map_err(|f| f.error)?;
            Ok(Outcome::Ok)
        })
    }
}
