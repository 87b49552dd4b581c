//! Long scenarios, run by name before the work counts as done.

pub(crate) mod app_wordpress;
pub(crate) mod beside;
pub(crate) mod context;
pub(crate) mod crashes;
pub(crate) mod drills;
pub(crate) mod emulator;
pub(crate) mod entry;
pub(crate) mod flows;
pub(crate) mod hosts;
pub(crate) mod kill;
pub(crate) mod limits;
mod moments;
mod overheard;
pub(crate) mod provider;
pub(crate) mod purge;
pub(crate) mod recorded;
mod release;
pub(crate) mod renewal;
pub(crate) mod schema;
pub(crate) mod starts;
mod strike;
