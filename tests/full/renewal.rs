//! Certificates between machines, renewed under load: by the operator, who gives every machine a new authority, and by
//! the machines themselves. Proves the transit half of S4.

use super::crashes::under_load;
use crate::prod::{self, verify};
use crate::renewal;
use andamio_testkit::{Abandoned, Need, Scenario, Steps};
use serde_json::json;

pub(crate) const SCENARIO: Scenario = Scenario { name: "renewal", need: Need::Machines, run: all };

/// Seconds of load. RabbitMQ alone takes a new one up later than that.
const LOAD: u32 = 90;

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = prod::up(steps)?;
    let s = &sandbox;
    let by_operator = || {
        drop(s.ok(&["secret", "renew", "prod"]));
        drop(s.ok(&["up", "prod", "-y"]));
    };
    let by_machines = || renewal::by_themselves(s, "prod", &[]);
    let ways: [(&str, &dyn Fn()); 2] = [("operator", &by_operator), ("machines", &by_machines)];
    for (who, renew) in ways {
        let mut came = (0, json!(null));
        steps.step(&format!("renewed by the {who} under load, no request fails"), || {
            came = under_load(s, LOAD, renew);
            assert!(came.1["failures"] == 0 && came.1["missing"] == 0, "{}", came.1);
            drop(verify(s, "prod"));
        });
        steps.figure(&format!("by_{who}"), json!({ "s": came.0, "load": came.1 }));
    }
    steps.must("down", || drop(s.ok(&["down", "prod", "-y"])))
}
