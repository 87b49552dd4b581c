//! Bad days of what Andamio stands on: the package mirror, the network, disks, clocks, the state, the host's own
//! programs and names. Each is said within half a minute with place, reason and remedy, ends with the documented
//! status, and is over when its cause is: the same command completes. Proves E1 (stays true) and the errors of
//! the contract.

mod host;
mod machine;
mod own;
mod state;

use andamio_testkit::{Abandoned, Ended, Need, Sandbox, Scenario, Steps};
use std::process::Command;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario =
    Scenario { name: "surroundings", need: Need::Machines, run: all };

/// Redis is the smallest group.
const TOML: &str = "[project]\nname = \"surroundings\"\n[environments.one]\nredis = { machines = 1, size = \"1x1\" }\n";
const M: &str = "redis-1";
/// Nobody waits longer to be told.
const SOON: Duration = Duration::from_secs(30);

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::new(TOML);
    let s = &sandbox;
    // Builds the machine image where there is none; nobody has to wait for that afterwards.
    steps.must("up", || drop(s.ok(&["up", "one"])))?;
    host::without_machines(steps);
    own::all(steps)?;
    state::all(steps, s);
    machine::all(steps, s)?;
    host::with_machines(steps, s);
    steps.must("after all of it the plan is empty", || is_empty(s))?;
    steps.must("down leaves nothing", || {
        drop(s.ok(&["down", "one", "-y"]));
        assert!(s.leftovers("one").is_empty(), "{:?}", s.leftovers("one"));
    })
}

fn is_empty(s: &Sandbox) {
    drop(s.run(&["plan", "one", "--exit-code"]).expect(0));
}

/// What every complaint owes: the documented status, words for place and reason, and a remedy, soon.
fn complains(ended: Ended, code: i32, says: &[&str]) -> Ended {
    let ended = ended.expect(code);
    for word in says {
        assert!(ended.stderr.contains(word), "expected `{word}`: {ended}");
    }
    assert!(ended.stderr.contains("help:"), "no remedy: {ended}");
    assert!(ended.took < SOON, "said after {:.0} s: {ended}", ended.took.as_secs_f64());
    ended
}

/// The command among mounts of its own, which a shell line makes and which end with it.
fn among(setup: &str, inner: &Command) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-ec"]);
    command.args([&format!("{setup}\nexec \"$@\""), "sh"]);
    command.arg(inner.get_program()).args(inner.get_args());
    if let Some(folder) = inner.get_current_dir() {
        command.current_dir(folder);
    }
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}
