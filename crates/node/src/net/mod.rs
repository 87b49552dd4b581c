//! Small clients of local services. Each request is bounded; a server that answers nonsense is a
//! failure, never a panic.

pub(crate) mod http;
pub(crate) mod look;
pub(crate) mod mysql;
pub(crate) mod resp;
pub(crate) mod tls;
