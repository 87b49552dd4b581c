//! Steps that need several machines: what each says is gathered here, what follows is decided by the
//! role, and each machine does its part.

use super::actions::Converge;
use crate::declared::inputs;
use crate::instance::Shared;
use andamio_converge::{ClusterManifest, galera, replica};
use andamio_engine::{Action, BoxFuture, ErrorReport, Outcome, StepContext};
use andamio_manifest::{GaleraState, Manifest, ReplicaState, Task};
use andamio_provision::{Found, Inventory, MachineState};
use andamio_spec::Group;
use futures_util::future::{join_all, try_join_all};
use std::time::{Duration, Instant};

type Done<'a> = BoxFuture<'a, Result<Outcome, ErrorReport>>;

/// Members that all remember each other are together again within seconds; else they are told how.
const REUNION: Duration = Duration::from_secs(15);
const INTERVAL: Duration = Duration::from_millis(300);

/// Joins a live Galera cluster, or begins it on the member that has the last transaction.
pub(super) struct GaleraStart(pub(super) Shared, pub(super) Vec<Manifest>);
/// Makes a cluster as a whole what it has to be, through any of its members.
pub(super) struct ConvergeCluster(pub(super) Shared, pub(super) ClusterManifest);
/// Who of a replicating pair leads, and that the other copies it.
pub(super) struct EnsureReplication(pub(super) Shared);
/// Members whose disks are gone are struck off by one that is left.
pub(super) struct Forget(
    pub(super) Shared,
    pub(super) Group,
    pub(super) Vec<String>,
    pub(super) Task,
);

fn found<'i>(inventory: &'i Inventory, name: &str) -> Result<&'i Found, ErrorReport> {
    let running = |found: &&Found| found.state == MachineState::Running;
    inventory.get(name).filter(running).ok_or_else(|| {
        ErrorReport::new("machine", format!("{name} does not run"), "run the same command again")
    })
}

impl Action for GaleraStart {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let Self(instance, manifests) = self;
            let inventory = instance.inventory();
            let begin = Instant::now();
            loop {
                let asked = manifests.iter().map(|manifest| async {
                    let found = found(&inventory, &manifest.machine).ok();
                    let state = match found {
                        Some(found) => {
                            instance.nodes.task::<GaleraState>(found, &galera::look()).await.ok()
                        }
                        None => None,
                    };
                    (manifest.machine.clone(), state)
                });
                let states = join_all(asked).await;
                match galera::decide(&states).map_err(|why| refusal(&why))? {
                    galera::Decision::Join => return Ok(Outcome::Ok),
                    galera::Decision::Wait if context.cancelled() => {
                        return Err(ErrorReport::stopped("the members are not waited for"));
                    }
                    galera::Decision::Wait if begin.elapsed() < REUNION => {
                        context.doing("waiting for the members to find each other again");
                        tokio::time::sleep(INTERVAL).await;
                    }
                    galera::Decision::Wait | galera::Decision::Stop => break,
                }
            }
            context.doing("asking every member for its last transaction");
            let stopped = try_join_all(manifests.iter().map(|manifest| async {
                let found = found(&inventory, &manifest.machine)?;
                let state = instance.nodes.task(found, &galera::stop()).await?;
                Ok::<_, ErrorReport>((manifest.machine.clone(), state))
            }))
            .await?;
            let first = galera::first(&stopped).map_err(|why| refusal(&why))?;
            let manifest = manifests.iter().find(|manifest| manifest.machine == first);
            let Some(manifest) = manifest else { return Ok(Outcome::Ok) };
            context.doing(&format!("beginning the cluster on {first}"));
            let machine = found(&inventory, first)?;
            instance.nodes.task::<()>(machine, &Task::GaleraBootstrap).await?;
            Converge(instance.clone(), manifest.clone()).apply(context).await?;
            Ok(Outcome::Changed(1))
        })
    }
}

fn refusal(why: &str) -> ErrorReport {
    ErrorReport::new(
        "cluster",
        why,
        "bring every member back with `andamio up`; with a member's disk beyond repair, remove the machine first",
    )
}

impl Action for ConvergeCluster {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let Self(instance, part) = self;
            let inventory = instance.inventory();
            let mut running =
                part.manifests.iter().filter(|m| found(&inventory, &m.machine).is_ok());
            let mut changed = 0;
            // Any one speaks for all of them, unless each is asked about itself.
            let first = running.next();
            for manifest in first.into_iter().chain(running.take_while(|_| part.each)) {
                let step = Converge(instance.clone(), manifest.clone());
                if let Outcome::Changed(n) = step.apply(context).await? {
                    changed += n;
                }
            }
            Ok(if changed == 0 { Outcome::Ok } else { Outcome::Changed(changed) })
        })
    }
}

impl Action for EnsureReplication {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let Self(instance) = self;
            let inventory = instance.inventory();
            let look = instance.topology.group(Group::Mariadb).map(|machine| {
                let inventory = &inventory;
                async move {
                    let found = found(inventory, &machine.name)?;
                    let state: ReplicaState = instance.nodes.task(found, &replica::look()).await?;
                    let name = machine.name.clone();
                    Ok::<_, ErrorReport>(replica::Member { name, address: machine.address, state })
                }
            });
            let members = try_join_all(look).await?;
            let moves = replica::decide(&members).map_err(|why| refusal(&why))?;
            let keys = instance.wanted_keys();
            let inputs = inputs(instance, None, &keys)?;
            for step in &moves {
                context.doing(&describe(step));
                let tasks = replica::tasks(&inputs, step);
                let inventory = &inventory;
                try_join_all(tasks.iter().map(|(machine, task)| async move {
                    instance.nodes.task::<()>(found(inventory, machine)?, task).await
                }))
                .await?;
            }
            let count = u32::try_from(moves.len()).unwrap_or(u32::MAX);
            Ok(if count == 0 { Outcome::Ok } else { Outcome::Changed(count) })
        })
    }
}

fn describe(step: &replica::Move) -> String {
    match step {
        replica::Move::Lead(name) => format!("{name} takes writes"),
        replica::Move::Copy { replica, source } => format!("copying {source} to {replica}"),
        replica::Move::Follow { replica, source } => format!("{replica} follows {source}"),
    }
}

impl Action for Forget {
    fn apply<'a>(&'a self, context: &'a StepContext<'a>) -> Done<'a> {
        Box::pin(async move {
            let Self(instance, group, gone, task) = self;
            let inventory = instance.inventory();
            let mut last = None;
            let left = instance.topology.group(*group);
            for machine in left.filter(|machine| !gone.contains(&machine.name)) {
                context.doing(&format!("{} forgets {}", machine.name, gone.join(", ")));
                let Ok(found) = found(&inventory, &machine.name) else { continue };
                match instance.nodes.task::<()>(found, task).await {
                    Ok(()) => return Ok(Outcome::Changed(1)),
                    Err(fault) => last = Some(fault),
                }
            }
            match last {
                Some(fault) => Err(fault),
                None => Ok(Outcome::Ok),
            }
        })
    }
}
