//! Every fault of every target of production under 200 requests a second. Proves E3, K2 to K4 and point 3 of
//! what no comparable tool has.

use crate::prod;
use andamio_testkit::{Abandoned, Need, Scenario, Steps, command};
use serde_json::Value;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "drills", need: Need::Machines, run: all };

pub(super) const RATE: u32 = 200;
/// Six targets, but for faults that a target cannot have.
const CELLS: usize = 38;
/// Half a minute each.
const PATIENCE: Duration = Duration::from_secs(2400);

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = prod::up(steps)?;
    let s = &sandbox;
    let ended = steps.must("every fault of every target", || {
        let rate = RATE.to_string();
        let all = s.command(&["drill", "prod", "--all", "--rate", &rate, "-y", "--json"]);
        let ended = command::run(all, PATIENCE);
        let last = ended.lines().pop();
        assert!(last.as_ref().is_some_and(|line| line["type"] == "result"), "{last:?}");
        ended
    })?;
    let drills = ended.lines().into_iter().filter(|line| line["type"] == "drill");
    let cells: Vec<Value> = drills.map(row).collect();
    steps.figure("rate", RATE);
    steps.figure("cells", cells.clone());
    // Whoever keeps the environment finds the reasons in its journals.
    steps.must("each keeps its promise", || {
        let broken: Vec<_> = cells.iter().filter(|cell| cell["passed"] != true).collect();
        assert!(broken.is_empty(), "{broken:#?}");
        assert_eq!(cells.len(), CELLS);
        drop(ended.expect(0));
    })?;
    steps.must("down", || drop(s.ok(&["down", "prod", "-y"])))
}

/// A cell as the README shows it.
fn row(mut drill: Value) -> Value {
    let keys = [
        "target",
        "fault",
        "machine",
        "requests",
        "failures",
        "causes",
        "longest_gap_ms",
        "lost",
        "redundant_after_s",
        "passed",
    ];
    keys.iter()
        .map(|&key| (key.to_owned(), drill[key].take()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
