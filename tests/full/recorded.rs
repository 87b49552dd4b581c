//! An environment whose state is in a bucket, and then production: looked at, planned and healed from an empty folder with
//! nothing but `--state` and an identity, the first one by somebody else than who made it. Proves that what is wanted is in
//! the state.

use crate::prod::{self, healthy};
use crate::s3::{BUCKET, Conditions, Server};
use andamio_engine::{Bucket, StatePlace};
use andamio_provision::local::instance_id;
use andamio_testkit::sandbox::DEADLINE;
use andamio_testkit::{Abandoned, Ended, Need, Sandbox, Scenario, Steps, command, host, run};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const SCENARIO: Scenario = Scenario { name: "recorded", need: Need::Machines, run: all };

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let mut seconds = Map::new();
    by_the_bucket(steps, &mut seconds)?;
    by_the_folder(steps, &mut seconds)?;
    steps.figure("seconds", seconds);
    Ok(())
}

fn by_the_folder(steps: &mut Steps, seconds: &mut Map<String, Value>) -> Result<(), Abandoned> {
    let sandbox = prod::up(steps)?;
    let s = &sandbox;
    // The identity lies in the state's folder.
    let alone = Alone::new(s, "alone", &s.state().display().to_string());
    steps.step(
        "production from an empty folder with the state alone: looked at, nothing to do",
        || {
            looked_at(&alone, "prod", 15, seconds);
        },
    );
    steps.step(
        "a writer of Galera, a master of Redis and the ops machine without power: healed",
        || {
            // What `status` says first is what it was before.
            for machine in ["mariadb-1", "redis-1", "ops-1"] {
                s.cut_power("prod", machine);
            }
            healed(&alone, "prod", "prod_three_without_power", seconds);
            drop(healthy(s, "prod", 15));
        },
    );
    steps.step(
        "an application machine without power and disk: made anew, with the others' image",
        || {
            s.lose_disk("prod", "app-2");
            healed(&alone, "prod", "prod_app_without_disk", seconds);
            drop(healthy(s, "prod", 15));
        },
    );
    steps.step("with the file: nothing to do, and all records are there", || {
        drop(prod::verify(s, "prod"));
    });
    steps.must("down leaves nothing", || {
        drop(s.ok(&["down", "prod", "-y"]));
        assert!(s.leftovers("prod").is_empty(), "{:#?}", s.leftovers("prod"));
    })
}

fn by_the_bucket(steps: &mut Steps, seconds: &mut Map<String, Value>) -> Result<(), Abandoned> {
    let sandbox = Sandbox::new("");
    // Those without a file must find none in a folder above.
    fs::remove_file(sandbox.file()).unwrap();
    let server = Server::start(Conditions::Kept);
    let ana = Ana::new(&sandbox, &server);
    steps.must("an environment whose state is in a bucket: up", || {
        drop(ana.run(&["up", ENV]).expect(0));
    })?;
    let bo =
        steps.must("a second person makes an identity and is enrolled", || bo(&sandbox, &ana))?;
    steps.step("they look at it from an empty folder with the bucket alone: nothing to do", || {
        looked_at(&bo, ENV, 3, seconds);
    });
    steps.step("machines without power: they heal it", || {
        for machine in ["app-1", "redis-1"] {
            host::cut_power(&ana.id, machine);
        }
        healed(&bo, ENV, "bucket_two_without_power", seconds);
    });
    steps.step("both have signed what they did, and the first sees nothing to do", || {
        drop(ana.run(&["plan", ENV, "--exit-code"]).expect(0));
        let history = ana.run(&["history", "--json"]).expect(0).json();
        let runs = history["runs"].as_array().unwrap();
        assert!(runs.iter().all(|run| run["signature"] == "good"), "{history}");
        let prefix = "shared/one.local/ledger/";
        let entries = server.names(prefix).into_iter().map(|name| {
            let (_, body) = server.object("GET", &name, b"").unwrap();
            serde_json::from_slice::<Value>(&body).unwrap()
        });
        let ups = entries.filter(|entry| entry["verb"] == "up");
        let keys: BTreeSet<String> = ups.map(|entry| entry["actor"].to_string()).collect();
        assert_eq!(keys.len(), 2, "{keys:?}");
    });
    steps.must("they take it down, and nothing is left", || {
        drop(bo.run(&["down", ENV, "-y"]).expect(0));
        assert!(host::leftovers(&ana.id).is_empty(), "{:#?}", host::leftovers(&ana.id));
    })
}

/// What needs no andamio.toml.
fn looked_at(alone: &Alone<'_>, env: &str, machines: usize, seconds: &mut Map<String, Value>) {
    let mut took = |verb: &str, ended: &Ended| {
        seconds.insert(format!("{env}_{verb}"), tenths(ended));
    };
    let ended = alone.run(&["status", env, "--json"]).expect(0);
    took("status", &ended);
    let status = ended.json();
    assert_eq!(status["machines"].as_array().unwrap().len(), machines, "{status}");
    assert_eq!((&status["desired"]["enabled"], &status["locks"]), (&json!(true), &json!([])));
    let ended = alone.run(&["logs", env, "-n", "20"]).expect(0);
    took("logs", &ended);
    assert!(ended.stdout.lines().count() >= 20, "{ended}");
    took("plan", &nothing_to_do(alone, env));
    assert!(fs::read_dir(&alone.folder).unwrap().next().is_none(), "it left something there");
}

fn nothing_to_do(alone: &Alone<'_>, env: &str) -> Ended {
    let ended = alone.run(&["plan", env, "--as-recorded", "--exit-code", "--json"]).expect(0);
    let plan = ended.json();
    assert_eq!((&plan["empty"], &plan["operations"]), (&json!(true), &json!([])), "{plan}");
    ended
}

/// What is broken is seen, put right, and is in the ledger.
fn healed(alone: &Alone<'_>, env: &str, figure: &str, seconds: &mut Map<String, Value>) {
    drop(alone.run(&["plan", env, "--as-recorded", "--exit-code"]).expect(2));
    let ended = alone.run(&["up", env, "--as-recorded", "-y"]).expect(0);
    seconds.insert(figure.to_owned(), tenths(&ended));
    drop(nothing_to_do(alone, env));
    drop(alone.run(&["status", env]).expect(0));
    let history = alone.run(&["history", "--json"]).expect(0).json();
    let last = history["runs"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["verb"], &last["status"]), (&json!("up"), &json!("ok")), "{last}");
}

fn tenths(ended: &Ended) -> Value {
    json!((ended.took.as_secs_f64() * 10.0).round() / 10.0)
}

/// Somebody in an empty folder, with a home that is empty too and no variable but those that are named.
struct Alone<'a> {
    folder: PathBuf,
    home: PathBuf,
    state: String,
    bucket: Option<(&'a Server, PathBuf)>,
}

impl<'a> Alone<'a> {
    fn new(s: &Sandbox, name: &str, state: &str) -> Self {
        let [folder, home] = ["empty", "home"].map(|which| s.folder.join(name).join(which));
        for folder in [&folder, &home] {
            fs::create_dir_all(folder).unwrap();
        }
        Alone { folder, home, state: state.to_owned(), bucket: None }
    }

    fn run(&self, words: &[&str]) -> Ended {
        let mut command = bare(&self.folder, &self.home);
        if let Some((server, identity)) = &self.bucket {
            server.set(&mut command);
            command.env("ANDAMIO_IDENTITY", identity);
        }
        command.args(["--state", &self.state]).args(words);
        command::run(command, DEADLINE)
    }
}

fn bare(folder: &Path, home: &Path) -> Command {
    let mut command = Command::new(run::built("andamio"));
    command.current_dir(folder).env_clear().env("HOME", home).env("NO_COLOR", "1");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

const ENV: &str = "one";
/// It answers HTTP; what it answers is of no interest here.
const TOML: &str = "[app]\nsource = \"app\"\nready = \"/v4/regions\"\n\
    [app.processes]\nweb = { command = [\"/program\", \"--listen\", \"0.0.0.0:8080\", \"--state\", \"/tmp\"], port = 8080 }\n\
    [environments.one]\ntls = \"off\"\napp = { machines = 2, size = \"1x1\" }\nredis = { machines = 1, size = \"1x1\" }\n";

/// Who makes the environment, with a checkout.
struct Ana<'a> {
    folder: PathBuf,
    home: PathBuf,
    server: &'a Server,
    state: String,
    id: String,
}

impl<'a> Ana<'a> {
    fn new(s: &Sandbox, server: &'a Server) -> Self {
        let (folder, home) = (s.folder.join("ana"), s.folder.join("home-of-ana"));
        let state = format!("s3://{BUCKET}/shared");
        fs::create_dir_all(folder.join("app")).unwrap();
        fs::create_dir_all(&home).unwrap();
        let toml = format!("[project]\nname = \"shared\"\nstate = \"{state}\"\n{TOML}");
        fs::write(folder.join("andamio.toml"), toml).unwrap();
        fs::copy(run::built("linode-emulator"), folder.join("app/program")).unwrap();
        let containerfile = "FROM scratch\nCOPY program /program\n";
        fs::write(folder.join("app/Containerfile"), containerfile).unwrap();
        let place = StatePlace::Bucket(Bucket::new(BUCKET, "shared", server.access()).unwrap());
        let id = instance_id(&place.id(), &format!("{ENV}@local"));
        let (program, file) = (run::built("andamio"), folder.join("andamio.toml"));
        let down = [&*program.to_string_lossy(), "-f", &*file.to_string_lossy(), "down", ENV, "-y"];
        let line = server.line(&down.map(str::to_owned));
        run::note_instance(&id, &["sh", "-c", &line].map(str::to_owned));
        Ana { folder, home, server, state, id }
    }

    fn run(&self, words: &[&str]) -> Ended {
        command::run(self.command(&self.folder, words), DEADLINE)
    }

    fn command(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = bare(folder, &self.home);
        self.server.set(&mut command);
        command.args(words);
        command
    }
}

impl Drop for Ana<'_> {
    fn drop(&mut self) {
        if !run::keep() && !host::leftovers(&self.id).is_empty() {
            drop(self.run(&["down", ENV, "-y"]));
        }
    }
}

/// The second person makes an identity in a checkout of their own, and then goes without it.
fn bo<'a>(s: &Sandbox, ana: &Ana<'a>) -> Alone<'a> {
    let checkout = s.folder.join("checkout-of-bo");
    fs::create_dir_all(&checkout).unwrap();
    fs::copy(ana.folder.join("andamio.toml"), checkout.join("andamio.toml")).unwrap();
    drop(command::run(ana.command(&checkout, &["init", "--json"]), DEADLINE).expect(0));
    let identity = checkout.join(".andamio/identity.txt");
    let mut bo = Alone::new(s, "bo", &ana.state);
    bo.bucket = Some((ana.server, identity.clone()));
    // Not before somebody lets them in.
    drop(bo.run(&["plan", ENV, "--as-recorded"]).expect(6));
    // With their SSH key, too: machines let it in with the next `up`.
    let mut shown = ana.command(&checkout, &["key", "show", "--json"]);
    shown.env("ANDAMIO_IDENTITY", &identity);
    let shown = command::run(shown, DEADLINE).expect(0).json();
    let keys = ["age", "ssh"].map(|key| shown[key].as_str().unwrap());
    drop(ana.run(&["key", "add", &keys.join(" "), "--name", "Bo"]).expect(0));
    drop(ana.run(&["up", ENV, "-y"]).expect(0));
    bo
}
