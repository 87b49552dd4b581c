//! Long scenarios, run by name before the work counts as done.

pub(crate) mod kill;
