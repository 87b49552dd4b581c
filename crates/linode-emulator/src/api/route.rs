//! One line of a family's table.

use crate::call::{Call, Read};
use crate::error::Errors;
use crate::store::Tx;
use serde_json::Value;

#[derive(Clone, Copy)]
pub(crate) enum Handler {
    Read(Read),
    Write(fn(&mut Tx<'_>, &Call) -> Result<Value, Errors>),
}

pub(crate) struct Route {
    pub method: &'static str,
    /// Below `/v4`; variable parts in braces.
    pub path: &'static str,
    pub handler: Handler,
    /// Answers without a token too.
    pub open: bool,
    /// Counts as a paginated read.
    pub paginated: bool,
}

type Write = fn(&mut Tx<'_>, &Call) -> Result<Value, Errors>;

const fn route(method: &'static str, path: &'static str, handler: Handler) -> Route {
    Route { method, path, handler, open: false, paginated: false }
}

pub(crate) const fn get(path: &'static str, read: Read) -> Route {
    route("GET", path, Handler::Read(read))
}

pub(crate) const fn list(path: &'static str, read: Read) -> Route {
    Route { paginated: true, ..route("GET", path, Handler::Read(read)) }
}

pub(crate) const fn post(path: &'static str, write: Write) -> Route {
    route("POST", path, Handler::Write(write))
}

pub(crate) const fn put(path: &'static str, write: Write) -> Route {
    route("PUT", path, Handler::Write(write))
}

pub(crate) const fn delete(path: &'static str, write: Write) -> Route {
    route("DELETE", path, Handler::Write(write))
}

impl Route {
    pub(crate) const fn open(mut self) -> Self {
        self.open = true;
        self
    }
}
