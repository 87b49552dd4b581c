use andamio_testkit::{Abandoned, Need, Scenario, Steps};

pub(crate) const SCENARIO: Scenario = Scenario { name: "bare", need: Need::Machines, run: all };

fn all(_: &mut Steps) -> Result<(), Abandoned> {
    Ok(())
}
