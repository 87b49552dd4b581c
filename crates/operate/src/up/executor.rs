//! From operations, which are data, to steps, which hold the live instance and what it is told.

use super::actions::{
    BuildImage, Converge, Delete, How, Live, Machine, Migrate, Network, Ready, Remove,
};
use super::cluster::{ConvergeCluster, EnsureReplication, Forget, GaleraStart};
use crate::declared::render;
use crate::hosts::InstallKey;
use crate::instance::Shared;
use crate::plan::operation::{Extent, Operation, OperationKind};
use crate::release::{Build, Context};
use crate::{Failure, Kind as FailureKind};
use andamio_converge::{CONTAINERS, ClusterManifest, Phase, Release, table};
use andamio_engine::{Action, Step};
use andamio_manifest::{Kind, Manifest};
use andamio_spec::Group;
use std::sync::Arc;

pub(super) const REPORT: &str =
    "this is a mistake in Andamio, and nothing was changed: report it, with the plan";

/// What operations are carried out with.
pub(crate) struct Executor<'a> {
    pub(crate) instance: &'a Shared,
    /// One for each machine: all of it.
    pub(crate) manifests: &'a [Manifest],
    pub(crate) clusters: &'a [ClusterManifest],
    pub(crate) release: Option<&'a Release>,
    pub(crate) context: Option<Arc<Context>>,
}

impl<'a> Executor<'a> {
    /// For operations that tell machines nothing.
    pub(crate) fn bare(instance: &'a Shared) -> Self {
        Self { instance, manifests: &[], clusters: &[], release: None, context: None }
    }

    /// # Errors
    /// When a manifest cannot be rendered, or an operation is about something that is not there.
    pub(crate) fn steps(&self, operations: Vec<Operation>) -> Result<Vec<Step>, Failure> {
        let early = OperationKind::Converge { extent: Extent::BeforeMigration };
        let bases = if operations.iter().any(|operation| operation.kind == early) {
            render(self.instance, &self.instance.wanted_keys(), self.release, Phase::Base)?
        } else {
            Vec::new()
        };
        operations.into_iter().map(|operation| self.step(operation, &bases)).collect()
    }

    fn step(&self, operation: Operation, bases: &[Manifest]) -> Result<Step, Failure> {
        let action = self.action(&operation, bases)?;
        let Operation { id, machine, title, needs, .. } = operation;
        Ok(Step { id, machine, title, needs, action })
    }

    fn action(
        &self,
        operation: &Operation,
        bases: &[Manifest],
    ) -> Result<Box<dyn Action>, Failure> {
        let instance = Arc::clone(self.instance);
        let machine = || operation.machine.clone().ok_or_else(|| unknown(operation));
        let release = || self.release.cloned().ok_or_else(|| unknown(operation));
        Ok(match &operation.kind {
            OperationKind::InstallKey { machines } => {
                Box::new(InstallKey(instance, machines.clone()))
            }
            OperationKind::BuildMachineImage => Box::new(BuildImage(instance)),
            OperationKind::MakeNetwork => Box::new(Network(instance)),
            OperationKind::DeleteMachine => Box::new(Delete(instance, machine()?)),
            OperationKind::CreateMachine => Box::new(Machine(instance, machine()?, How::Create)),
            OperationKind::StartMachine => Box::new(Machine(instance, machine()?, How::Start)),
            OperationKind::RestartMachine => Box::new(Machine(instance, machine()?, How::Restart)),
            OperationKind::StartGalera => Box::new(GaleraStart(instance, self.databases())),
            OperationKind::ForgetMembers { group, members } => {
                let forget = table(group.role()).cluster.as_ref().and_then(|c| c.forget);
                let forget = forget.ok_or_else(|| unknown(operation))?;
                Box::new(Forget(instance, *group, members.clone(), forget(members)))
            }
            OperationKind::EnsureReplication => Box::new(EnsureReplication(instance)),
            OperationKind::ConvergeCluster { group } => {
                let cluster = self.clusters.iter().find(|cluster| cluster.group == *group);
                let cluster = cluster.ok_or_else(|| unknown(operation))?;
                Box::new(ConvergeCluster(instance, cluster.clone()))
            }
            OperationKind::Converge { extent } => {
                Box::new(Converge(instance, self.manifest(operation, *extent, bases)?))
            }
            OperationKind::BuildRelease { machines } => Box::new(Build {
                instance,
                release: release()?,
                context: self.context.clone(),
                builder: machine()?,
                machines: machines.clone(),
            }),
            OperationKind::MigrateDatabase => Box::new(Migrate(instance, machine()?, release()?)),
            OperationKind::NoteRelease { machines } => {
                Box::new(Live(instance, release()?, machines.clone()))
            }
            OperationKind::RemoveEnvironment => Box::new(Remove(instance)),
            OperationKind::WaitUntilReady => {
                Box::new(Ready(instance, self.manifests.iter().map(probes_of).collect()))
            }
        })
    }

    fn manifest(
        &self,
        operation: &Operation,
        extent: Extent,
        bases: &[Manifest],
    ) -> Result<Manifest, Failure> {
        let of = |manifests: &[Manifest]| {
            let is = |m: &&Manifest| operation.machine.as_ref() == Some(&m.machine);
            manifests.iter().find(is).cloned().ok_or_else(|| unknown(operation))
        };
        if extent == Extent::BeforeMigration {
            return of(bases);
        }
        let mut manifest = of(self.manifests)?;
        if extent == Extent::Prerequisites {
            manifest.resources.retain(|r| ["base", CONTAINERS].contains(&&*r.role));
        }
        Ok(manifest)
    }

    fn databases(&self) -> Vec<Manifest> {
        let topology = &self.instance.topology;
        let is_database = |m: &&Manifest| {
            topology.machine(&m.machine).is_some_and(|machine| machine.group == Group::Mariadb)
        };
        self.manifests.iter().filter(is_database).cloned().collect()
    }
}

/// What the machine is asked, as a part: its declared state stays what it is.
fn probes_of(whole: &Manifest) -> Manifest {
    let mut manifest = Manifest { part: true, generation: 0, ..whole.clone() };
    manifest.resources.retain(|resource| matches!(resource.kind, Kind::Probe(_)));
    manifest
}

/// A plan is made from what is declared; one that names something else is a mistake of Andamio's own.
fn unknown(operation: &Operation) -> Failure {
    let message =
        format!("the operation `{}` is about something that is not declared", operation.id);
    Failure::new(FailureKind::Failed, "operation", message, REPORT)
}
