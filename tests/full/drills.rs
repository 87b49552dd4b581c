//! Every fault of every target of production under 200 requests a second. Proves E3, K2 to K4 and point 3 of
//! what no comparable tool has.

use crate::prod;
use andamio_testkit::{Abandoned, Need, Scenario, Steps, command};
use serde_json::Value;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "drills", need: Need::Machines, run: all };

pub(super) const RATE: u32 = 200;
/// Some forty cells of half a minute.
const PATIENCE: Duration = Duration::from_secs(2400);

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = prod::up(steps)?;
    let s = &sandbox;
    let mut cells: Vec<Value> = Vec::new();
    steps.step("every fault of every target keeps its promise", || {
        let rate = RATE.to_string();
        let all = s.command(&["drill", "prod", "--all", "--rate", &rate, "-y", "--json"]);
        let ended = command::run(all, PATIENCE);
        cells = ended.lines().into_iter().filter(|line| line["type"] == "drill").collect();
        drop(ended.expect(0));
    });
    steps.figure("rate", RATE);
    steps.figure("cells", cells.iter().map(row).collect::<Vec<_>>());
    steps.must("down", || drop(s.ok(&["down", "prod", "-y"])))
}

/// A cell as the README shows it.
fn row(drill: &Value) -> Value {
    let keys = [
        "target",
        "fault",
        "machine",
        "requests",
        "failures",
        "longest_gap_ms",
        "lost",
        "redundant_after_s",
        "passed",
    ];
    keys.iter()
        .map(|&key| (key.to_owned(), drill[key].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
