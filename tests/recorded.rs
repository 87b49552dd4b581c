//! What the state records: an environment is looked at, planned and healed from an empty folder; plans that were reviewed
//! are run, or refused; two at once take turns; a moved state is followed, a copied one refused. In an environment that
//! another scenario has brought up.

use andamio_testkit::sandbox::DEADLINE;
use andamio_testkit::{Ended, Sandbox, Steps, command};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

const ENV: &str = "dev";

pub(crate) fn steps(steps: &mut Steps, s: &Sandbox) {
    steps.step("from an empty folder with the state alone: looked at, and nothing to do", || {
        state_alone(s);
    });
    steps.step("a machine without power: healed from there, and the ledger has it", || healed(s));
    steps.step("a reviewed plan is run once; one that was edited never", || reviewed(s));
    steps.step("two at once: one is refused, one waits its turn", || turns(s));
    steps.step("a moved state is followed; a copy is refused until it is the owner", || copies(s));
}

/// `down` has been run.
pub(crate) fn not_wanted(s: &Sandbox) {
    let answer = alone(s, &["up", ENV, "--as-recorded", "--json"]).expect(3);
    assert_eq!(answer.lines().last().unwrap()["error"]["code"], "not-wanted", "{answer}");
}

/// With the state, and without andamio.toml and source.
fn alone(s: &Sandbox, arguments: &[&str]) -> Ended {
    alone_with(s, &s.state(), arguments)
}

fn alone_with(s: &Sandbox, state: &Path, arguments: &[&str]) -> Ended {
    let folder = s.folder.join("empty");
    fs::create_dir_all(&folder).unwrap();
    let known = s.command(&[]);
    let mut command = Command::new(known.get_program());
    for (name, value) in known.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let identity = state.join("identity.txt");
    command.current_dir(folder).env("ANDAMIO_IDENTITY", identity).arg("--state").arg(state);
    command::run(command_with(command, arguments), DEADLINE)
}

fn command_with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

fn state_alone(s: &Sandbox) {
    let status = alone(s, &["status", ENV, "--json"]).expect(0).json();
    assert!(status["desired"]["number"].as_u64() >= Some(1), "{status}");
    assert_eq!(status["desired"]["enabled"], true);
    assert_eq!(status["locks"], json!([]));
    let plan = alone(s, &["plan", ENV, "--as-recorded", "--json"]).expect(0).json();
    assert_eq!((&plan["empty"], &plan["operations"]), (&json!(true), &json!([])), "{plan}");
    assert_eq!(
        alone(s, &["exec", ENV, "app-1", "--", "hostname"]).expect(0).stdout.trim(),
        "app-1"
    );
    for arguments in [&["logs", ENV, "-n", "1"][..], &["history"], &["db", ENV, "--", "SELECT 1"]] {
        drop(alone(s, arguments).expect(0));
    }
    // Who builds something needs its source.
    drop(alone(s, &["up", ENV]).expect(5));
    let answer = alone(s, &["status", "prod"]).expect(64);
    assert!(answer.stderr.contains("dev@local"), "{answer}");
}

fn healed(s: &Sandbox) {
    s.cut_power(ENV, "redis-1");
    drop(alone(s, &["up", ENV, "--as-recorded", "-y"]).expect(0));
    drop(alone(s, &["status", ENV]).expect(0));
    let history = alone(s, &["history", "--json"]).expect(0).json();
    let last = history["runs"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["verb"], &last["status"]), (&json!("up"), &json!("ok")), "{last}");
}

fn reviewed(s: &Sandbox) {
    let file = s.folder.join("reviewed.json");
    let edited = s.folder.join("edited.json");
    let shown = |path: &Path| path.display().to_string();
    drop(s.on(ENV, "redis-1", "systemctl stop redis-server@6379"));
    drop(alone(s, &["plan", ENV, "--as-recorded", "--out", &shown(&file)]).expect(0));
    let mut plan: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let operations = plan["operations"].as_array_mut().unwrap();
    assert_eq!(operations[0]["id"], "converge:redis-1", "{operations:?}");
    operations.remove(0);
    fs::write(&edited, plan.to_string()).unwrap();
    let code = |file: &Path| {
        let plan = shown(file);
        let answer = alone(s, &["up", ENV, "--as-recorded", "--json", "-y", "--plan", &plan]);
        let last = answer.lines().pop().unwrap();
        (answer.code, last["error"]["code"].clone())
    };
    assert_eq!(code(&edited), (Some(3), json!("edited-plan")));
    assert_eq!(code(&file), (Some(0), Value::Null));
    assert_eq!(code(&file), (Some(3), json!("stale-plan")));
    let history = alone(s, &["history", "--json"]).expect(0).json();
    let refused = |run: &&Value| run["status"] == "refused";
    assert_eq!(history["runs"].as_array().unwrap().iter().filter(refused).count(), 2, "{history}");
}

fn turns(s: &Sandbox) {
    drop(s.on(ENV, "redis-1", "systemctl stop redis-server@6379"));
    let first = s.start(&["up", ENV, "-y", "--wait"]);
    let second = s.run(&["up", ENV, "-y", "--wait=5m"]);
    drop(first.end(DEADLINE).expect(0));
    drop(second.expect(0));
    drop(s.run(&["plan", ENV, "--exit-code"]).expect(0));
}

fn copies(s: &Sandbox) {
    let (copy, moved) = (s.folder.join("copy"), s.folder.join("moved"));
    let status = Command::new("cp").arg("-a").arg(s.state()).arg(&copy).status().unwrap();
    assert!(status.success());
    let refused = |state: &Path| {
        let answer = alone_with(s, state, &["up", ENV, "--as-recorded", "--json"]).expect(3);
        assert_eq!(answer.lines().last().unwrap()["error"]["code"], "copied-state", "{answer}");
    };
    refused(&copy);
    fs::rename(s.state(), &moved).unwrap();
    let plan = ["plan", ENV, "--as-recorded", "--exit-code"];
    drop(alone_with(s, &moved, &["up", ENV, "--as-recorded"]).expect(0));
    drop(alone_with(s, &moved, &plan).expect(0));
    drop(alone_with(s, &copy, &["state", "adopt", ENV]).expect(3));
    drop(alone_with(s, &copy, &["state", "adopt", ENV, "-y"]).expect(0));
    drop(alone_with(s, &copy, &plan).expect(0));
    refused(&moved);
    drop(alone_with(s, &moved, &["state", "adopt", ENV, "-y"]).expect(0));
    fs::rename(&moved, s.state()).unwrap();
    drop(alone(s, &["up", ENV, "--as-recorded"]).expect(0));
    let shown = alone(s, &["state", "show", "--json"]).expect(0).json();
    assert_eq!(shown["instances"][0]["ownership"], "own", "{shown}");
    assert_eq!(shown["instances"][0]["id"], s.id(ENV), "{shown}");
    fs::remove_dir_all(&copy).unwrap();
}
