//! `andamio.toml`: types, parsing, checks; and the topology computed from it. No I/O.
pub mod model;
pub mod topology;
