//! The scenarios, one file each. `scenarios list` names them, `scenarios NAME…` runs some,
//! `scenarios full` and `scenarios full NAME` do that for the long ones. `./test` calls it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on must stop, and says so where its caller reads"
)]

mod agents;
mod bare;
mod browser;
mod bucket;
mod builds;
mod capture;
mod cli;
mod context;
mod dev;
mod emulator;
mod flows;
mod former;
mod full;
mod hosts;
mod leftovers;
mod load;
mod loads;
mod lock;
mod prod;
mod purge;
mod rack;
mod recorded;
mod renewal;
mod results;
mod rules;
mod s3;
mod servers;
mod small;
mod stream;
mod surroundings;
mod team;
mod terraform;
mod trees;

use andamio_testkit::{Scenario, Steps};
use std::process::ExitCode;

/// In the order of their cost.
const SHORT: &[Scenario] = &[
    rules::SCENARIO,
    lock::SCENARIO,
    bucket::SCENARIO,
    cli::SCENARIO,
    team::SCENARIO,
    terraform::SCENARIO,
    emulator::SCENARIO,
    bare::SCENARIO,
    hosts::SCENARIO,
    servers::SCENARIO,
    surroundings::SCENARIO,
    loads::SCENARIO,
    context::SCENARIO,
    former::SCENARIO,
    agents::SCENARIO,
    builds::SCENARIO,
    dev::SCENARIO,
    prod::SCENARIO,
    leftovers::SCENARIO,
];
const FULL: &[Scenario] = &[
    full::kill::SCENARIO,
    full::emulator::SCENARIO,
    full::provider::SCENARIO,
    full::limits::SCENARIO,
    full::flows::SCENARIO,
    full::drills::SCENARIO,
    full::crashes::SCENARIO,
    full::renewal::SCENARIO,
    full::entry::SCENARIO,
    full::beside::SCENARIO,
    full::schema::SCENARIO,
    full::context::SCENARIO,
    full::hosts::SCENARIO,
    full::purge::SCENARIO,
    full::recorded::SCENARIO,
    full::starts::SCENARIO,
    full::app_wordpress::SCENARIO,
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (list, wanted) = match words.as_slice() {
        [] => return usage(),
        ["list"] => return names(SHORT),
        ["full"] => return names(FULL),
        ["full", names @ ..] => (FULL, names),
        names => (SHORT, names),
    };
    let find = |name: &&str| list.iter().find(|s| s.name == *name);
    let Some(chosen) = wanted.iter().map(find).collect::<Option<Vec<_>>>() else { return usage() };
    let mut steps = Steps::default();
    for scenario in chosen {
        steps.scenario(scenario);
        if words[0] == "full" {
            results::write(scenario.name, &steps);
        }
    }
    steps.finish();
    if steps.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn names(list: &[Scenario]) -> ExitCode {
    for scenario in list {
        println!("{}", scenario.name);
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    let names = |list: &[Scenario]| list.iter().map(|s| s.name).collect::<Vec<_>>().join(" ");
    eprintln!(
        "usage: scenarios NAME… (of: {})\n       scenarios full [NAME] (of: {})",
        names(SHORT),
        names(FULL)
    );
    ExitCode::from(64)
}
