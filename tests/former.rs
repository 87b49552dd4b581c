//! A state that the version before wrote (`tests/former/`): it is read, and goes on. Its entries are not signed, it records
//! nothing wanted, and its last run was killed with the lock in its hands.

use crate::small;
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps, run};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

pub(crate) const SCENARIO: Scenario = Scenario { name: "former", need: Need::Machines, run: all };

const ENV: &str = "one";

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = steps.must("a copy of it, with its project", project)?;
    let s = &sandbox;
    steps.step("it is looked at, and nothing is written", || looked_at(s));
    steps.step("secrets are those that it had", || {
        assert_eq!(s.ok(&["secret", "list", ENV]).stdout.trim(), "KEY");
        assert_eq!(series(s, "secrets"), [1]);
    });
    steps.must("up takes the dead run's lock and records what is wanted", || {
        let ended = s.ok(&["up", ENV, "-y"]);
        assert!(ended.stderr.contains("ana@laptop"), "it does not say whose lock it was: {ended}");
        assert_eq!(series(s, "desired"), [1]);
        assert_eq!(series(s, "owner"), [1]);
        assert_eq!(series(s, "releases"), [1, 2]);
        assert!(series(s, "manifests/app-1").last() > Some(&2), "a generation came again");
    })?;
    steps.step("the machine has the secret, nothing is left to do, also as recorded", || {
        let process = "cat /proc/$(podman inspect -f '{{.State.Pid}}' small-web)/environ";
        let environment = s.on(ENV, "app-1", process);
        let has = |variable: &str| environment.split('\0').any(|one| one == variable);
        assert!(has("KEY=of-an-earlier-version"), "{environment:?}");
        drop(s.run(&["plan", ENV, "--exit-code"]).expect(0));
        drop(s.run(&["plan", ENV, "--as-recorded", "--exit-code"]).expect(0));
    });
    steps.step("the chain goes on, signed from here on", || {
        let history = s.ok(&["history", "--json"]).json();
        let runs = history["runs"].as_array().unwrap();
        let signatures: Vec<&Value> = runs.iter().map(|run| &run["signature"]).collect();
        assert_eq!(signatures, ["none", "none", "good"], "{history}");
        assert_eq!(history["faults"], json!([]));
    });
    steps.must("down leaves nothing", || {
        drop(s.ok(&["down", ENV, "-y"]));
        assert!(s.leftovers(ENV).is_empty(), "{:#?}", s.leftovers(ENV));
    })
}

fn project() -> Sandbox {
    let sandbox = small::project(1);
    let file = fs::read_to_string(sandbox.file()).unwrap();
    sandbox.rewrite(&file.replace("[app]\n", "[app]\nsecrets = [\"KEY\"]\n"));
    let from = run::checkout().join("tests/former");
    let status = Command::new("cp").arg("-r").arg(from).arg(sandbox.state()).status().unwrap();
    assert!(status.success());
    // Of a holder elsewhere the store's own time counts.
    let lock = File::options().write(true).open(object(&sandbox.state(), "lock", 3)).unwrap();
    lock.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    sandbox
}

fn looked_at(s: &Sandbox) {
    let history = s.ok(&["history", "--json"]).json();
    let runs = history["runs"].as_array().unwrap();
    let told: Vec<_> = runs.iter().map(|r| (&r["status"], &r["signature"], &r["actor"])).collect();
    let (ok, killed) = (json!("ok"), json!("started"));
    let (none, nobody) = (json!("none"), Value::Null);
    assert_eq!(told, [(&ok, &none, &nobody), (&killed, &none, &nobody)], "{history}");
    assert_eq!(history["faults"], json!([]), "{history}");
    let status = s.run(&["status", ENV, "--json"]).expect(7).json();
    assert_eq!(status["desired"], Value::Null, "{status}");
    // Only who wants to take it asks the store how old it is.
    assert_eq!(status["locks"][0]["by"], "ana@laptop", "{status}");
    assert_eq!(status["release"], "a4d451ec2346", "{status}");
    let plan = s.ok(&["plan", ENV, "--json"]).json();
    assert_eq!(plan["release"]["from"], "a4d451ec2346", "{plan}");
    let ended = s.run(&["plan", ENV, "--as-recorded"]).expect(64);
    assert!(ended.stderr.contains("docs/errors.md#not-recorded"), "{ended}");
    let shown = s.ok(&["state", "show", "--json"]).json();
    assert_eq!(shown["instances"][0]["ownership"], "new", "{shown}");
    for name in ["desired", "owner", "actors"] {
        assert!(series(s, name).is_empty(), "{name} was written");
    }
    assert_eq!(series(s, "ledger"), [1, 2, 3]);
}

fn object(state: &Path, series: &str, number: u64) -> std::path::PathBuf {
    state.join(format!("{ENV}.local/{series}/{number:010}.json"))
}

/// Numbers of the objects of a series.
fn series(s: &Sandbox, name: &str) -> Vec<u64> {
    let folder = s.state().join(format!("{ENV}.local/{name}"));
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let numbers = names.filter_map(|e| e.path().file_stem()?.to_str()?.parse().ok());
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    numbers
}
