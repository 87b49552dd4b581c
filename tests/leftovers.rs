//! After everything: nothing of the tests' environments is on the host. Last, because it looks at
//! the whole run; what is found is reported, and then taken away. A user's own instances have other
//! ids and are not looked at.

use andamio_testkit::{Abandoned, Need, Scenario, Steps, run};

pub(crate) const SCENARIO: Scenario = Scenario { name: "leftovers", need: Need::Nothing, run: all };

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let title = "no control group, interface, nft table, process, mount or folder is left";
    if run::keep() {
        steps.skip(title, "ANDAMIO_TEST_KEEP=1 leaves environments standing");
        return Ok(());
    }
    let none = steps.step(title, || {
        let left = run::leftovers();
        assert!(left.is_empty(), "{}", left.join("\n"));
    });
    if !none {
        steps.step("what was found is taken down", run::sweep);
    }
    Ok(())
}
