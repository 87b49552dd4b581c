//! Every fault of every target of production under 200 requests a second. Proves E3, K2 to K4 and point 3 of
//! what no comparable tool has.

use crate::prod;
use andamio_testkit::{Abandoned, Ended, Need, Scenario, Steps, command};
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
    let rate = RATE.to_string();
    let ended = steps.must("every fault of every target", || {
        let all = s.command(&["drill", "prod", "--all", "--rate", &rate, "-y", "--json"]);
        let ended = command::run(all, PATIENCE);
        let last = ended.lines().pop();
        assert!(last.as_ref().is_some_and(|line| line["type"] == "result"), "{last:?}");
        ended
    })?;
    let cells: Vec<Value> = drills(&ended).collect();
    steps.figure("rate", RATE);
    steps.figure("cells", cells.clone());
    steps.must("every cell is there", || assert_eq!(cells.len(), CELLS))?;
    let missed: Vec<_> = cells.iter().filter(|cell| cell["passed"] != true).collect();
    assert_eq!(ended.code, Some(i32::from(!missed.is_empty())), "{ended}");
    // On a host that is busy with something else a cell can miss its promise once: twice more, and every
    // figure is kept. Whoever keeps the environment finds the reasons in its journals.
    let mut again = Vec::new();
    for cell in missed {
        let (target, fault) = (cell["target"].as_str().unwrap(), cell["fault"].as_str().unwrap());
        for time in ["second", "third"] {
            steps.step(&format!("{target} {fault}, a {time} time"), || {
                let one =
                    s.command(&["drill", "prod", target, fault, "--rate", &rate, "-y", "--json"]);
                let ended = command::run(one, PATIENCE);
                again.extend(drills(&ended));
                drop(ended.expect(0));
            });
        }
    }
    steps.figure("again", again);
    steps.must("down", || drop(s.ok(&["down", "prod", "-y"])))
}

fn drills(ended: &Ended) -> impl Iterator<Item = Value> {
    let lines = ended.lines().into_iter();
    lines.filter(|line| line["type"] == "drill").map(row)
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
