//! Work that takes time: records that survive a kill, done one after another for each thing they are
//! about. How a machine is really started, stopped or changed is behind [`Machines`].

use crate::event::{self, Entity};
use crate::store::{Body, Key, Kind, Record, Tx};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What is to be done. The names are in the journal: add, never rename.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "work")]
pub enum Work {
    /// Disks are filled; `boots` when a boot follows.
    Provision {
        boots: bool,
    },
    Boot {
        config: Option<u64>,
    },
    Reboot {
        config: Option<u64>,
    },
    Shutdown,
    /// `boots` when it ran before.
    Resize {
        plan: String,
        resize_disks: bool,
        boots: bool,
    },
    Migrate {
        region: String,
        boots: bool,
    },
    Rebuild {
        boots: bool,
    },
    Delete,
    DiskCreate {
        disk: u64,
    },
    DiskResize {
        disk: u64,
        size: u64,
    },
    DiskDelete {
        disk: u64,
    },
    Password,
    VolumeCreate,
    VolumeResize {
        size: u64,
    },
    VolumeAttach,
    VolumeDetach,
    VolumeDelete,
}

impl Work {
    /// How long it takes where nothing real happens, in units of `--pace`.
    fn units(&self) -> u32 {
        match self {
            Self::Migrate { .. } => 4,
            Self::Resize { .. } | Self::Rebuild { .. } => 3,
            Self::Provision { .. } | Self::Boot { .. } | Self::Reboot { .. } => 2,
            _ => 1,
        }
    }
}

/// A piece of work with what it is about.
#[derive(Debug, Clone)]
pub struct Job {
    pub id: u64,
    /// The instance or volume: its jobs wait for each other.
    pub subject: u64,
    pub event: u64,
    pub work: Work,
}

impl Job {
    /// `None` for a record that this version cannot read.
    pub(crate) fn read(record: &Record) -> Option<Self> {
        let work = serde_json::from_value(Value::Object(record.hidden.clone())).ok()?;
        let (subject, event) = (record.number("subject"), record.number("event"));
        Some(Self { id: record.id, subject, event, work })
    }
}

/// Adds work, and the event that says how far it is.
pub(crate) fn add(
    tx: &mut Tx<'_>,
    action: &str,
    subject: u64,
    entity: &Entity,
    secondary: Option<&Entity>,
    work: &Work,
) {
    let event = event::begin(tx, action, entity, secondary);
    let mut body = Body::new();
    body.insert("subject".to_owned(), subject.into());
    body.insert("event".to_owned(), event.into());
    let hidden = match serde_json::to_value(work) {
        Ok(Value::Object(hidden)) => hidden,
        _ => Body::new(),
    };
    tx.insert(Kind::Job, 0, body, hidden);
}

/// Takes a job off the list and ends its event.
pub(crate) fn finish(tx: &mut Tx<'_>, job: &Job, outcome: Result<(), &str>) {
    tx.delete(Kind::Job, Key { parent: 0, id: job.id });
    event::finish(tx, job.event, outcome);
}

pub type Done<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Carries work out. A kill may come at any moment, after which it is asked for again: twice must be
/// the same as once.
pub trait Machines: Send + Sync {
    /// Resolves when it is done; an error fails the event, with that message.
    fn carry_out<'a>(&'a self, job: &'a Job) -> Done<'a>;
}

/// Machines that are records only: work is waiting.
pub struct Records {
    pub unit: Duration,
}

impl Machines for Records {
    fn carry_out<'a>(&'a self, job: &'a Job) -> Done<'a> {
        let time = self.unit * job.work.units();
        Box::pin(async move {
            tokio::time::sleep(time).await;
            Ok(())
        })
    }
}
