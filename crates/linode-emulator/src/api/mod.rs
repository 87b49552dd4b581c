//! The API, a folder for each family. Each has a table of routes; what is the same for all of them is
//! in `serve` and `call`.

pub(crate) mod account;
mod catalog;
mod domain;
mod firewall;
mod instance;
mod networking;
mod nodebalancer;
pub(crate) mod object_storage;
mod placement;
mod route;
mod volume;
mod vpc;

pub(crate) use route::{Handler, Route};

use crate::job::{self, Job, Work};
use crate::store::Tx;

/// Everything that is answered.
pub(crate) fn routes() -> impl Iterator<Item = &'static Route> {
    [
        instance::ROUTES,
        instance::DISK_ROUTES,
        instance::CONFIG_ROUTES,
        instance::IP_ROUTES,
        catalog::ROUTES,
        account::ROUTES,
        firewall::ROUTES,
        vpc::ROUTES,
        volume::ROUTES,
        nodebalancer::ROUTES,
        nodebalancer::CONFIG_ROUTES,
        placement::ROUTES,
        domain::ROUTES,
        object_storage::ROUTES,
        networking::ROUTES,
    ]
    .into_iter()
    .flatten()
}

fn of_volumes(work: &Work) -> bool {
    matches!(
        work,
        Work::VolumeCreate
            | Work::VolumeResize { .. }
            | Work::VolumeAttach
            | Work::VolumeDetach
            | Work::VolumeDelete
    )
}

/// What shows while a job is done.
pub(crate) fn begin(tx: &mut Tx<'_>, job: &Job) {
    if !of_volumes(&job.work) {
        instance::begin(tx, job);
    }
}

/// What is true when it is done.
pub(crate) fn finish(tx: &mut Tx<'_>, job: &Job, outcome: Result<(), &str>) {
    if of_volumes(&job.work) {
        volume::finish(tx, job, outcome);
    } else {
        instance::finish(tx, job, outcome);
    }
    job::finish(tx, job, outcome);
}
