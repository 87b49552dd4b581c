//! Long scenarios, run by name before the work counts as done.

pub(crate) mod beside;
pub(crate) mod drills;
pub(crate) mod emulator;
pub(crate) mod entry;
pub(crate) mod flows;
pub(crate) mod kill;
pub(crate) mod schema;
pub(crate) mod provider;
