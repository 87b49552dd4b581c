//! What is known about a role, in one table for each. Whoever needs to know something of a role reads it there
//! and keeps no list of roles of his own.

use crate::context::RoleContext;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::secret::SecretKind;
use andamio_manifest::{Kind, Probe, Resource, Task};
use andamio_spec::topology::Role;
use andamio_spec::{Spec, Topology};

/// What `status` shows as one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub name: String,
    /// All have to answer; they change nothing, and a reader may shorten their deadlines.
    pub probes: Vec<Probe>,
    /// One that fails tells of trouble to come: the service is degraded, and serves.
    pub concerns: Vec<Probe>,
}

impl Service {
    pub(super) fn new(name: &str, probes: Vec<Probe>, concern: Option<Probe>) -> Self {
        Self { name: name.to_owned(), probes, concerns: concern.into_iter().collect() }
    }
}

/// Every role gives every field, so that a new one is asked for all of them.
pub struct RoleTable {
    pub role: Role,
    /// Debian packages, of every layout. The machine image has them all.
    pub packages: &'static [&'static [&'static str]],
    /// Units that these switch on by themselves; in the machine image they are off until a role asks for them.
    pub brings: &'static [&'static [&'static str]],
    /// Names that `status` shows, and their units; `*` in one stands for a port. The first unit of all is what a
    /// machine of the role is there for. Those of the application are its processes, which the file declares.
    pub services: &'static [(&'static str, &'static [&'static str])],
    pub turn: Turn,
    /// Migrations fill it: without its data it needs them all once more.
    pub is_migrated: bool,
    /// Has podman, and images of the application.
    pub has_images: bool,
    /// How several machines of the role become one; `None` where they do not know of each other.
    pub cluster: Option<ClusterTable>,
    pub drill: DrillTable,
    pub(crate) secrets: fn(&Topology) -> &'static [(&'static str, SecretKind)],
    /// Whether the role shows others who it is.
    pub(crate) has_identity: fn(&Topology) -> bool,
    pub(crate) resources: fn(&RoleContext<'_>) -> Result<Vec<Resource>, Error>,
    pub(crate) health: fn(&RoleContext<'_>) -> Vec<Service>,
}

/// When machines of a role are made true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It keeps data, which a migration may be about: before that.
    Data,
    /// After the migration.
    Application,
    /// It sends people to the application: after that.
    Entry,
    /// Nobody waits for it, and it waits for nobody.
    Beside,
}

pub struct ClusterTable {
    /// What one that is left is told of machines that lost their data, before these can come back under their names;
    /// `None` where nobody holds on to them.
    pub forget: Option<fn(&[String]) -> Task>,
    /// Each member is asked about itself; otherwise any one of them speaks for all.
    pub(crate) each: bool,
    /// What the cluster as a whole has to be; `None` where there is nothing beyond its machines.
    pub(crate) whole: fn(&Inputs<'_>) -> Option<Kind>,
}

/// How one of several machines is broken for a trial, and what it may cost.
pub struct DrillTable {
    /// What is stopped or killed.
    pub unit: fn(&Spec) -> Option<String>,
    /// A command that counts who uses a machine: the one with most is broken. `None`: the first.
    pub users: fn(&Topology) -> Option<String>,
    /// When the service is told to stop.
    pub stopped: Promise,
    /// When its machine is parted from the others; `None` where they do not talk to each other.
    pub parted: Option<Promise>,
    pub otherwise: Promise,
    /// After a full disk it does not go on by itself.
    pub stands_still: bool,
}

/// What a fault may cost at most where there is more than one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// Longest time without any good answer, ms.
    pub gap_ms: u64,
    /// Whether requests may fail at all.
    pub failures: bool,
}

impl Promise {
    /// No request fails.
    pub(crate) const UNNOTICED: Self = Self { gap_ms: 1000, failures: false };

    pub(crate) const fn gap(gap_ms: u64) -> Self {
        Self { gap_ms, failures: true }
    }
}

impl DrillTable {
    /// Nothing of it is in the path of a request.
    pub(crate) const NO_SERVICE: Self = Self {
        unit: |_| None,
        users: |_| None,
        stopped: Promise::UNNOTICED,
        parted: None,
        otherwise: Promise::UNNOTICED,
        stands_still: false,
    };
}

impl RoleTable {
    /// What a machine of the role is there for; `*` stands for a port.
    #[must_use]
    pub fn unit(&self) -> Option<&'static str> {
        self.services.first().and_then(|(_, units)| units.first()).copied()
    }
}

/// Whether a unit is one of those that `services` of a table means.
#[must_use]
pub fn unit_fits(pattern: &str, unit: &str) -> bool {
    match pattern.split_once('*') {
        None => unit == pattern,
        Some((begin, end)) => unit.starts_with(begin) && unit.ends_with(end),
    }
}
