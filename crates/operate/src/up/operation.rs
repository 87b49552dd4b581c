//! What a plan consists of: operations, which are data. Who carries them out is `executor.rs`.

use andamio_spec::Group;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operation {
    /// Unique in the plan: `machine:app-1`, `converge:mariadb-1`.
    pub(super) id: String,
    pub(super) kind: OperationKind,
    /// Whom it is done to, where that is one machine.
    pub(super) machine: Option<String>,
    /// For people: `start app-1`.
    pub(super) title: String,
    /// Ids of operations that must have succeeded before.
    pub(super) needs: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OperationKind {
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
    ForgetMembers(Group, Vec<String>),
    /// Makes the cluster as a whole what it has to be, through any of its members.
    ConvergeCluster(Group),
    /// Who of a replicating pair leads, and that the other copies it.
    EnsureReplication,
    Converge(Extent),
    /// On the operation's machine; the others get the image from there.
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
}

/// How much of a machine is converged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// What all of its roles stand on.
    Prerequisites,
    /// All that a migration needs, and nothing of the processes.
    BeforeMigration,
    Whole,
}

impl Operation {
    pub(super) fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        kind: OperationKind,
    ) -> Self {
        Self { id: id.into(), kind, machine: None, title: title.into(), needs: Vec::new() }
    }

    pub(super) fn on(mut self, machine: &str) -> Self {
        self.machine = Some(machine.to_owned());
        self
    }

    pub(super) fn after(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.needs.extend(ids);
        self
    }
}
