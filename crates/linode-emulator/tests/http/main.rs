//! The program over HTTP, as a client without a library sees it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod faults;
mod kill;
mod life;
mod lists;
mod objects;
mod support;
mod words;
