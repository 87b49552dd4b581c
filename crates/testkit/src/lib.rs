//! Throw-away environments: a project folder and a state of their own, the real command line, and
//! the means to look at what a user would notice. Everything that is made here is taken away again,
//! also after a failure, unless `ANDAMIO_TEST_KEEP=1`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on must stop, and says so where its caller reads"
)]

pub mod command;
pub mod host;
pub mod http;
pub mod inside;
pub mod run;
pub mod sandbox;
pub mod scenario;
pub mod servers;
pub mod terminal;
pub mod wait;
pub mod webdriver;

pub use command::{Ended, Running};
pub use sandbox::Sandbox;
pub use scenario::{Abandoned, Need, Scenario, Steps};
pub use servers::{Server, Servers, Shape};
