//! The whole matrix of production: every machine to every listening socket of every other one, and from the
//! host; and that nobody who listens between them understands anything. Proves S1 and S4's transit half.

use super::overheard::{Listener, use_every_way};
use crate::flows::differences;
use crate::prod::healthy;
use andamio_testkit::host::missing;
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
        listen(s, env, steps)?;
        steps.must(&format!("down {env}"), || drop(s.ok(&["down", env, "-y"])))?;
    }
    Ok(())
}

/// What everybody in an environment says to each other, while it works and while it recovers.
fn listen(s: &Sandbox, env: &str, steps: &mut Steps) -> Result<(), Abandoned> {
    let title = format!("a listener between the machines of {env} reads nothing");
    if let Some(why) = missing(&["tcpdump"]) {
        steps.skip(&title, &why);
        return Ok(());
    }
    let listener = Listener::start(s, env);
    steps.must(&format!("every way of {env} is used while somebody listens"), || {
        use_every_way(s, env);
    })?;
    let heard = listener.end(s, env);
    steps.step(&title, || heard.holds_no_words(s, env));
    let mut openings = 0;
    steps.step(&format!("every way of {env} was used, and every connection is TLS"), || {
        openings = heard.is_tls(s, env);
    });
    steps.figure(&format!("{env}_connections_heard"), openings);
    Ok(())
}
