//! The operator's side of the connection: whether it is still there, and whether a change that
//! could have cut it off was confirmed by a second one.

pub(crate) mod confirm;
pub(crate) mod hangup;
