//! The whole matrix of production: every machine to every listening socket of every other one, and from the
//! host. Proves S1.

use crate::flows::differences;
use crate::prod::healthy;
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps};

pub(crate) const SCENARIO: Scenario = Scenario { name: "flows", need: Need::Machines, run: all };

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::of_checkout();
    let s = &sandbox;
    for (env, machines) in [("staging", 10), ("prod", 15)] {
        steps.must(&format!("up {env}"), || {
            drop(s.ok(&["up", env]));
            drop(healthy(s, env, machines));
        })?;
        let mut ways = 0;
        steps.step(&format!("what answers in {env} is the table"), || {
            let (differences, tried) = differences(s, env, &[]);
            ways = tried;
            assert!(differences.is_empty(), "{differences:#?}");
        });
        steps.figure(&format!("{env}_ways_tried"), ways);
        steps.must(&format!("down {env}"), || drop(s.ok(&["down", env, "-y"])))?;
    }
    Ok(())
}
