//! The Linode emulator with 10,000 instances: how long a page of a filtered list takes, by linodego.
//! Proves the figure of point 6 of what no comparable tool has.

use crate::emulator::{Emulator, go_program};
use andamio_testkit::{Abandoned, Need, Scenario, Steps};
use serde_json::Value;

pub(crate) const SCENARIO: Scenario = Scenario { name: "emulator", need: Need::Nothing, run: all };

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let program = match go_program() {
        Ok(program) => program,
        Err(why) => {
            steps.skip("10,000 instances", &why);
            return Ok(());
        }
    };
    let figures = steps.must("10,000 instances are made and listed with a filter", || {
        let emulator = Emulator::start(&["--pace", "0", "--no-rate-limits"]);
        let ended = emulator.run(&program, &[], &["measure"]);
        serde_json::from_str::<serde_json::Map<String, Value>>(&ended.stdout).unwrap()
    })?;
    for (name, value) in figures {
        steps.figure(&name, value);
    }
    Ok(())
}
