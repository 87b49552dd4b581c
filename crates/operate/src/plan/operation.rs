//! What a plan consists of: operations, which are data. Who carries them out is the executor.

use andamio_spec::Group;
use serde::{Deserialize, Serialize};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Unique in the plan: `machine:app-1`, `converge:mariadb-1`.
    pub id: String,
    #[serde(flatten)]
    pub kind: OperationKind,
    /// Whom it is done to, where that is one machine.
    pub machine: Option<String>,
    /// For people: `start app-1`.
    pub title: String,
    /// Ids of operations that must have succeeded before.
    pub needs: Vec<String>,
    /// Users notice it.
    pub disrupts: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum OperationKind {
    /// Leaves the instance's key on servers that it does not open yet.
    InstallKey {
        machines: Vec<String>,
    },
    BuildMachineImage,
    MakeNetwork,
    DeleteMachine,
    CreateMachine,
    StartMachine,
    /// Power off and on.
    RestartMachine,
    /// Joins a live Galera cluster, or begins it on the member that has the last transaction.
    StartGalera,
    /// Members whose disks are gone are struck off by one that is left.
    ForgetMembers {
        group: Group,
        members: Vec<String>,
    },
    /// Makes the cluster as a whole what it has to be, through any of its members.
    ConvergeCluster {
        group: Group,
    },
    /// Who of a replicating pair leads, and that the other copies it.
    EnsureReplication,
    Converge {
        extent: Extent,
    },
    /// On the operation's machine, unless a machine has the image; the others get it from there.
    BuildRelease {
        machines: Vec<String>,
    },
    MigrateDatabase,
    /// Writes down that the release is live, and which machines have images.
    NoteRelease {
        machines: Vec<String>,
    },
    /// Asks every machine that runs for what it serves, and waits for it.
    WaitUntilReady,
    /// Network, folders and records of an environment whose machines are gone.
    RemoveEnvironment,
}

/// How much of a machine is converged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// What all of its roles stand on.
    Prerequisites,
    /// All that a migration needs, and nothing of the processes.
    BeforeMigration,
    Whole,
}

impl Operation {
    pub(crate) fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        kind: OperationKind,
    ) -> Self {
        let (id, title) = (id.into(), title.into());
        Self { id, kind, machine: None, title, needs: Vec::new(), disrupts: false }
    }

    pub(crate) fn on(mut self, machine: &str) -> Self {
        self.machine = Some(machine.to_owned());
        self
    }

    pub(crate) fn after(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.needs.extend(ids);
        self
    }
}
