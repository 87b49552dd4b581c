//! The steps of `up`: image, network, machines, data services, release, migration, application.

use super::judge::Work;
use super::{groups, manifest, render};
use crate::failure::{fault, remote_fault};
use crate::instance::Shared;
use crate::release::{Build, Context, record};
use crate::{Failure, command};
use andamio_converge::{Part, Phase, Release};
use andamio_engine::{Action, BoxFuture, Fault, Outcome, State, Step, StepContext};
use andamio_manifest::{Event, Manifest, Outcome as Came};
use andamio_provision::local::Seed;
use andamio_remote::KeyPair;
use andamio_spec::Group;
use andamio_spec::topology::Role;
use std::sync::Arc;
use std::time::Duration;

/// A machine that has not answered by then will not.
const BOOT: Duration = Duration::from_secs(60);

pub(super) fn build(
    instance: &Shared,
    work: &Work,
    whole: Vec<Manifest>,
    parts: Vec<Part>,
    release: Option<&Release>,
    context: Option<Arc<Context>>,
) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::new();
    let shared = || Arc::clone(instance);
    let mut ground = Vec::new();
    if work.image {
        ground.push("image".to_owned());
        steps.push(Step::new("image", "build the machine image", BuildImage(shared())));
    }
    if work.network {
        ground.push("network".to_owned());
        steps.push(Step::new("network", "bridge and address translation", Network(shared())));
    }
    for name in &work.delete {
        let action = Delete(shared(), name.clone());
        steps.push(Step::new(format!("delete:{name}"), format!("remove {name}"), action).on(name));
    }
    for (names, how) in
        [(&work.create, How::Create), (&work.start, How::Start), (&work.restart, How::Restart)]
    {
        for name in names {
            let id = format!("machine:{name}");
            let title = format!("{} {name}", how.verb());
            let action = Machine(shared(), name.clone(), how);
            steps.push(Step::new(&id, title, action).on(name).after(ground.clone()));
        }
    }
    // Only what is in this plan can be waited for; the rest is live already.
    let planned = |ids: Vec<String>, steps: &[Step]| -> Vec<String> {
        ids.into_iter().filter(|id| steps.iter().any(|s| s.id == *id)).collect()
    };
    let is_app =
        |name: &str| instance.topology.machine(name).is_some_and(|m| m.roles.contains(&Role::App));
    let plan = groups::Plan { instance, work, whole: &whole, parts: &parts };
    let mut data = Vec::new();
    for group in [Group::Mariadb, Group::Redis, Group::Rabbitmq] {
        data.extend(plan.data(group, &mut steps));
    }
    plan.others(Group::Ops, &[], &mut steps);
    let apps: Vec<&String> = work.converge.iter().filter(|n| is_app(n)).collect();
    if apps.is_empty() {
        plan.others(Group::Balancer, &data, &mut steps);
        return Ok(steps);
    }
    let mut prepared = Vec::new();
    if let (Some(release), Some(context), true) = (release, context, work.release) {
        let ops = instance.topology.with_role(Role::Ops).next();
        let builder = ops.or_else(|| instance.topology.with_role(Role::App).next());
        if let Some(builder) = builder {
            let machines: Vec<String> = apps.iter().map(|m| (*m).clone()).collect();
            let needs = machines.iter().chain([&builder.name]).map(|m| format!("machine:{m}"));
            let after = planned(needs.collect(), &steps);
            let action = Build {
                instance: shared(),
                release: release.clone(),
                context,
                builder: builder.name.clone(),
                machines,
            };
            let title = format!("build {}", release.image);
            steps.push(Step::new("release", title, action).on(&builder.name).after(after));
            prepared.push("release".to_owned());
        }
    }
    let mut before_app = data;
    if work.migrate && release.is_some() && !instance.request.spec.app.migrate.is_empty() {
        let base = render(instance, release, Phase::Base)?;
        let mut bases = Vec::new();
        for name in &apps {
            let id = format!("prepare:{name}");
            let mut after = planned(vec![format!("machine:{name}")], &steps);
            after.extend(prepared.clone());
            if let Some(m) = base.iter().find(|m| m.machine == ***name) {
                let action = Converge(shared(), m.clone());
                steps.push(Step::new(&id, format!("prepare {name}"), action).on(name).after(after));
                bases.push(id);
            }
        }
        if let (Some(first), Some(release)) = (apps.first(), release) {
            let action = Migrate(shared(), (*first).clone(), release.clone());
            let step = Step::new("migrate", "migrate the database", action).on(first);
            steps.push(step.after(before_app.clone()).after(bases));
        }
        before_app.push("migrate".to_owned());
    }
    let mut live: Vec<String> = Vec::new();
    let fresh = |name: &&&String| !work.rolling.contains(**name);
    for name in apps.iter().filter(fresh).chain(apps.iter().filter(|n| !fresh(n))) {
        let id = format!("converge:{name}");
        let mut after = planned(vec![format!("machine:{name}")], &steps);
        after.extend(prepared.clone());
        after.extend(before_app.clone());
        // Those that serve are taken one by one, after those that do not yet.
        if work.rolling.contains(*name) {
            after.extend(live.clone());
        }
        if let Some(m) = whole.iter().find(|m| m.machine == ***name) {
            let action = Converge(shared(), m.clone());
            steps.push(Step::new(&id, format!("converge {name}"), action).on(name).after(after));
            live.push(id);
        }
    }
    plan.others(Group::Balancer, &live, &mut steps);
    if let Some(release) = release {
        let action = Live(shared(), release.clone());
        if !work.release && !work.migrate {
            return Ok(steps);
        }
        steps.push(Step::new("live", "note the release as live", action).after(live));
    }
    Ok(steps)
}

struct BuildImage(Shared);
struct Network(Shared);
struct Delete(Shared, String);
struct Machine(Shared, String, How);
pub(super) struct Converge(pub(super) Shared, pub(super) Manifest);
struct Migrate(Shared, String, Release);
struct Live(Shared, Release);

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Create,
    Start,
    Restart,
}

impl How {
    fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Restart => "restart",
        }
    }
}

type Done<'a> = BoxFuture<'a, Result<Outcome, Fault>>;

impl Action for BuildImage {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let built = self.0.local()?.image.build(|text| context.doing(text)).await;
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
            Ok(if was { Outcome::Ok } else { Outcome::Changed(1) })
        })
    }
}

impl Action for Delete {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            self.0.local()?.destroy(&self.1).await.map_err(|e| fault(&e))?;
            Ok(Outcome::Changed(1))
        })
    }
}

impl Action for Machine {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let Self(instance, name, how) = self;
            let machine = instance.topology.machine(name).ok_or_else(|| {
                Fault::new("machine", format!("no machine {name}"), "run `andamio plan` again")
            })?;
            let local = instance.local()?;
            match how {
                How::Create => {
                    let key = KeyPair::generate().map_err(|e| remote_fault(&e))?;
                    let operator = format!("{}\n", instance.secrets.ssh_public());
                    let seed = Seed {
                        host_key: (&key.private, &key.public),
                        operator: &operator,
                        resolver: &crate::node::resolver(),
                    };
                    // Whatever was left of a machine of that name has no disk that counts.
                    local.kill(name).await.map_err(|e| fault(&e))?;
                    local.create(machine, &seed).map_err(|e| fault(&e))?;
                }
                How::Restart => local.kill(name).await.map_err(|e| fault(&e))?,
                How::Start => {}
            }
            instance.nodes.forget(name).await;
            let program = instance.request.program.display().to_string();
            let launcher = [program, "machine".to_owned(), "launch".to_owned()];
            let mut started = local.start(machine, &launcher).map_err(|e| fault(&e))?;
            context.doing("waiting for SSH");
            let inventory = instance.inventory();
            let found = inventory.get(name).ok_or_else(|| {
                Fault::new("machine", format!("no machine {name}"), "run `andamio plan` again")
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
                manifest::number(instance, &mut manifest).await.map_err(|f| f.fault)?;
            }
            let inventory = instance.inventory();
            let found = inventory.get(&manifest.machine).ok_or_else(|| {
                Fault::new("machine", "the machine is gone", "run the same command again")
            })?;
            let said = instance
                .nodes
                .apply(found, &manifest, false, |event| forward(context, event))
                .await?;
            if said.report.failed == 0 && said.report.skipped == 0 {
                return Ok(if said.report.changed == 0 {
                    Outcome::Ok
                } else {
                    Outcome::Changed(said.report.changed)
                });
            }
            let failed = said.events.iter().find_map(|event| match event {
                Event::Resource { resource, outcome: Came::Failed, message, .. } => {
                    Some(format!("{resource} on {}: {message}", manifest.machine))
                }
                _ => None,
            });
            let message = failed.unwrap_or_else(|| {
                format!("{} was interrupted before it was done", manifest.machine)
            });
            let help = format!(
                "see what it says with `andamio logs {} --machine {}`, then run the same command again",
                instance.topology.env, manifest.machine
            );
            Err(Fault::new("converge", message, &help))
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
            let message = if message.starts_with("confirm:") { "" } else { message };
            if !matches!(outcome, Came::Skipped) {
                context.resource(resource, state, *ms, message, diff);
            }
        }
        Event::Done(_) => {}
    }
}

impl Action for Migrate {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let Self(instance, machine, release) = self;
            let mut argv = instance.request.spec.app.migrate.clone();
            argv.push("up".to_owned());
            context.doing(&argv.join(" "));
            let output = command::one_off(instance, machine, release, &argv).await?;
            if output.exit.success() {
                return Ok(Outcome::Ok);
            }
            let said = String::from_utf8_lossy(&output.stdout);
            let message = format!("`{}`: {} {}", argv.join(" "), said.trim(), output.complaint());
            Err(Fault::new(
                "migrate",
                message,
                "mend the migration, then run the same command again",
            ))
        })
    }
}

impl Action for Live {
    fn apply<'a>(&'a self, _: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            record(&self.0, &self.1).await.map_err(|f| f.fault)?;
            Ok(Outcome::Ok)
        })
    }
}
