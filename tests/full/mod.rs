//! Long scenarios, run by name before the work counts as done.

pub(crate) mod drills;
pub(crate) mod emulator;
pub(crate) mod flows;
pub(crate) mod kill;
mod moments;
mod release;
mod strike;
