//! Two builds of this program at the same machines: who only looks changes nothing for the other, and a run decides
//! which one the machines' units run. And who looks without being able to read a secret sees as much.

use andamio_testkit::sandbox::DEADLINE;
use andamio_testkit::wait::until;
use andamio_testkit::{Abandoned, Ended, Need, Sandbox, Scenario, Steps, command, run};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "agents", need: Need::Machines, run: all };

const ENV: &str = "dev";
const MACHINES: [&str; 3] = ["mariadb-1", "mariadb-2", "mariadb-3"];
/// A unit that runs for as long as the machine does, and has the executable bound to a place of its own.
const TOML: &str = "[project]\nname = \"agents\"\n[environments.dev]\ntls = \"off\"\n\
    mariadb = { machines = 3, layout = \"galera\", size = \"1x1\" }\nredis = { machines = 1, size = \"1x1\" }\n";

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::new(TOML);
    let s = &sandbox;
    // What is appended to an executable is not read; the digest is another one.
    let other = s.folder.join("other-build");
    fs::copy(run::built("andamio"), &other).unwrap();
    fs::OpenOptions::new().append(true).open(&other).unwrap().write_all(b"\n").unwrap();
    steps.must("up", || drop(s.ok(&["up", ENV, "-y"])))?;
    steps.step(
        "another build plans and asks for the status: nothing is removed or led elsewhere",
        || {
            looks(s);
        },
    );
    steps.must("it is brought up: units run it, and what somebody runs stays", || decides(s))?;
    steps.must("and back: the one that nobody needs any more is gone", || back(s))?;
    steps.step("one that was lost is brought again, a link that leads elsewhere is mended", || {
        mended(s);
    });
    steps.step(
        "who can read no secret asks for the status, looks at logs and works on machines",
        || {
            without_secrets(s);
        },
    );
    steps.must("down leaves nothing", || {
        drop(s.ok(&["down", ENV, "-y"]));
        assert!(s.leftovers(ENV).is_empty(), "{:#?}", s.leftovers(ENV));
    })
}

/// The same command by the other build.
fn other_command(s: &Sandbox, arguments: &[&str]) -> Command {
    let known = s.command(arguments);
    let mut command = Command::new(s.folder.join("other-build"));
    command.args(known.get_args()).current_dir(&s.folder);
    for (name, value) in known.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

fn other(s: &Sandbox, arguments: &[&str]) -> Ended {
    command::run(other_command(s, arguments), DEADLINE)
}

/// Names of the executables on a machine, that of the one its units run first.
fn agents(s: &Sandbox, machine: &str) -> Vec<String> {
    let line = "basename $(readlink /usr/local/bin/andamio); cd /var/lib/andamio/agent; \
                ls -A | grep -vx \"$(basename $(readlink /usr/local/bin/andamio))\"; true";
    s.on(ENV, machine, line).lines().map(str::to_owned).collect()
}

/// The process of a unit, and whether it runs what the machine's link leads to.
fn health(s: &Sandbox, machine: &str) -> (String, bool) {
    let line = "pid=$(systemctl show -P MainPID andamio-health.service); echo $pid; \
                stat -L -c %i /proc/$pid/exe /usr/local/bin/andamio";
    let answer = s.on(ENV, machine, line);
    let [pid, runs, leads] = answer.lines().collect::<Vec<_>>()[..] else { panic!("{answer}") };
    (pid.to_owned(), runs == leads)
}

fn changes(ended: &Ended) -> Vec<(String, String)> {
    let plan = ended.json();
    let text = |change: &Value, key: &str| change[key].as_str().unwrap().to_owned();
    let changes = plan["changes"].as_array().unwrap().iter();
    changes.map(|change| (text(change, "machine"), text(change, "resource"))).collect()
}

fn looks(s: &Sandbox) {
    let before: Vec<_> = MACHINES.iter().map(|m| (agents(s, m), health(s, m))).collect();
    let plan = other(s, &["plan", ENV, "--json"]).expect(0);
    let each = |machine: &&str| {
        ["agent:/usr/local/bin/andamio", "unit:andamio-health.service"]
            .map(|resource| ((*machine).to_owned(), resource.to_owned()))
    };
    let mut expected: Vec<_> = MACHINES.iter().flat_map(each).collect();
    // Nothing there runs it all the time.
    expected.push(("redis-1".to_owned(), "agent:/usr/local/bin/andamio".to_owned()));
    assert_eq!(changes(&plan), expected);
    drop(other(s, &["status", ENV]).expect(0));
    drop(s.run(&["plan", ENV, "--exit-code"]).expect(0));
    drop(s.ok(&["status", ENV]));
    for (machine, (had, health_was)) in MACHINES.iter().zip(before) {
        let has = agents(s, machine);
        assert_eq!((had.len(), has.len(), &has[0]), (1, 2, &had[0]), "{machine}");
        let is = health(s, machine);
        assert!(is == health_was && is.1, "{machine}: {is:?}, {health_was:?}");
    }
}

fn decides(s: &Sandbox) {
    let [first, ..] = MACHINES;
    let had = agents(s, first)[0].clone();
    // A person at work there.
    let person =
        s.start(&["exec", ENV, first, "--", "while ! [ -e /run/enough ]; do sleep 0.2; done"]);
    until("the person's command", Duration::from_secs(20), || {
        let found = s.on(ENV, first, "pgrep -fc '[n]ode attend.*run/enough' || true");
        // The one that looks for it is one too.
        if found.trim().parse::<u32>().is_ok_and(|n| n > 1) { Ok(()) } else { Err(found) }
    });
    drop(other(s, &["up", ENV, "-y"]).expect(0));
    drop(other(s, &["plan", ENV, "--exit-code"]).expect(0));
    drop(other(s, &["status", ENV]).expect(0));
    // Asked by the other one: this build would bring itself along.
    let on =
        |machine: &str, line: &str| other(s, &["exec", ENV, machine, "--", line]).expect(0).stdout;
    for machine in MACHINES {
        let has = on(machine, "ls -A /var/lib/andamio/agent; readlink /usr/local/bin/andamio");
        let stays = has.lines().any(|name| name == had);
        assert_eq!(stays, machine == first, "{machine} has {has}, and had {had}");
        assert!(!has.lines().last().unwrap().ends_with(&had), "{machine}: {has}");
    }
    drop(on(first, "touch /run/enough"));
    drop(person.end(DEADLINE).expect(0));
    assert!(MACHINES.iter().all(|machine| health(s, machine).1), "a unit runs the former one");
    let empty = other(s, &["up", ENV, "--json"]).expect(0);
    assert_eq!(empty.lines().last().unwrap()["changed"], 0, "{empty}");
}

fn back(s: &Sandbox) {
    drop(s.ok(&["up", ENV, "-y"]));
    for machine in MACHINES {
        assert_eq!(agents(s, machine).len(), 1, "{machine}");
        assert!(health(s, machine).1, "{machine}");
    }
    drop(s.run(&["plan", ENV, "--exit-code"]).expect(0));
}

fn mended(s: &Sandbox) {
    let [first, second, _] = MACHINES;
    s.on(ENV, first, "rm -r /var/lib/andamio/agent");
    drop(s.ok(&["status", ENV]));
    assert!(health(s, first).0 != "0");
    s.on(ENV, second, "ln -sfn /bin/true /usr/local/bin/andamio");
    let status = s.run(&["status", ENV]).expect(7);
    assert!(status.stdout.contains("agent:/usr/local/bin/andamio"), "{status}");
    drop(s.ok(&["up", ENV, "-y"]));
    drop(s.ok(&["status", ENV]));
    drop(s.run(&["plan", ENV, "--exit-code"]).expect(0));
    assert!(health(s, second).1, "{second}");
}

fn without_secrets(s: &Sandbox) {
    let key = |name: &str| {
        let file = s.folder.join(name);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&file);
        assert!(keygen.status().unwrap().success());
        file
    };
    let (watch, stranger) = (key("watch"), key("stranger"));
    let by = |identity: &Path, arguments: &[&str]| {
        let mut command = s.command(arguments);
        command.env("ANDAMIO_IDENTITY", identity);
        command::run(command, DEADLINE)
    };
    let public = fs::read_to_string(watch.with_extension("pub")).unwrap();
    drop(s.ok(&["key", "add", public.trim(), "--for", "runner", "--name", "watch"]));
    drop(s.ok(&["up", ENV, "-y"]));
    let seen = |status: &Value| {
        let of = |key: &str, parts: &[&str]| {
            let list = status[key].as_array().unwrap().iter();
            list.map(|one| parts.iter().map(|part| one[part].clone()).collect()).collect()
        };
        let lists: [Vec<Vec<Value>>; 3] = [
            of("machines", &["name", "state", "address", "roles"]),
            of("services", &["machine", "name", "state", "detail"]),
            of("concerns", &["code", "subject", "message"]),
        ];
        (lists, status["healthy"].clone(), status["state"].clone())
    };
    let same = |code: i32| {
        let mine = s.run(&["status", ENV, "--json"]).expect(code).json();
        let theirs = by(&watch, &["status", ENV, "--json"]).expect(code).json();
        assert_eq!(seen(&mine), seen(&theirs));
        theirs
    };
    let services = same(0)["services"].as_array().unwrap().len();
    assert_eq!(services, 4);
    for arguments in [
        &["exec", ENV, "redis-1", "--", "true"][..],
        &["ssh", ENV, "redis-1", "--", "true"],
        &["logs", ENV, "-n", "1"],
    ] {
        drop(by(&watch, arguments).expect(0));
    }
    // What has to be known for a plan is not theirs, and who is let in nowhere learns nothing.
    for (identity, verb) in [(&watch, "plan"), (&stranger, "status")] {
        let refused = by(identity, &[verb, ENV]);
        assert!(refused.code == Some(5) && refused.stderr.contains("identity"), "{refused}");
    }
    s.on(
        ENV,
        "redis-1",
        "systemctl stop redis-server@6379; echo '# by hand' >> /etc/redis/redis-6379.conf",
    );
    let status = same(7);
    let redis = |of: &Value| of["machine"] == "redis-1" && of["state"] == "down";
    assert!(status["services"].as_array().unwrap().iter().any(redis), "{status}");
    assert!(status["concerns"].to_string().contains("file:/etc/redis/redis-6379.conf"), "{status}");
    drop(s.ok(&["up", ENV, "-y"]));
    // Nothing that the last run would have kept: what is secret is not guessed.
    s.on(ENV, "redis-1", "rm /var/lib/andamio/kept.json");
    let status = same(7);
    let unknown = |of: &Value| of["machine"] == "redis-1" && of["state"] == "degraded";
    assert!(status["services"].as_array().unwrap().iter().any(unknown), "{status}");
    s.cut_power(ENV, "redis-1");
    let status = same(7);
    let stopped = |of: &Value| of["name"] == "redis-1" && of["state"] == "stopped";
    assert!(status["machines"].as_array().unwrap().iter().any(stopped), "{status}");
    drop(s.ok(&["up", ENV, "-y"]));
    drop(same(0));
    drop(s.run(&["plan", ENV, "--exit-code"]).expect(0));
}
