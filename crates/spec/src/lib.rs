//! `andamio.toml`: types, parsing, checks, limits, windows and prices; and the topology computed
//! from it. Pure: no files, no clock, no terminal, no sibling crate.

pub mod defaults;
mod explain;
mod finding;
mod limits;
pub mod model;
mod names;
mod parse;
pub mod price;
pub mod reserved;
mod schedule;
mod state;
pub mod topology;
pub mod units;
pub mod variable;
mod window;

pub use explain::{Explained, Origin, explain};
pub use finding::{Finding, Parsed, Severity};
pub use limits::{
    Refusal, check_limits, check_traffic, check_types, counts, growable, storage_bytes,
};
pub use model::*;
pub use names::suggest;
pub use parse::{MAX_BYTES, excerpt, parse};
pub use price::{Cost, CostError, CostItem, Rate, check_budget, cost, cost_at};
pub use schedule::{Schedule, ScheduleError};
pub use state::StateUrl;
pub use topology::{Topology, TopologyError};
pub use window::WindowError;
