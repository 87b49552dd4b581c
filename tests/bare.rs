//! One machine through the whole spine, as a user would: up, up again, every kind of resource broken
//! by hand and repaired, a second operator, a reviewed plan, a power cut, a lost disk, limits, down.
//! Proves E1 (plan is empty after up; drift is named and repaired; down leaves nothing), K5 (the
//! memory of a machine is its own) and points 1 and 5 of what no comparable tool has.

use andamio_testkit::wait::until;
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps, sandbox::DEADLINE};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "bare", need: Need::Machines, run: all };

/// Redis is the smallest group; without an application the machine has nothing else.
const TOML: &str =
    "[project]\nname = \"bare\"\n[environments.one]\nredis = { machines = 1, size = \"1x1\" }\n";
const M: &str = "redis-1";

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::new(TOML);
    let s = &sandbox;
    steps.must("up from nothing", || {
        let ended = s.ok(&["up", "one", "--json"]);
        let last = ended.lines().pop().unwrap();
        assert_eq!((&last["type"], &last["status"]), (&"result".into(), &"ok".into()), "{last}");
    })?;
    steps.must("then the plan is empty", || is_empty(s))?;
    steps.step("up again changes nothing and says so", || {
        let ended = s.ok(&["up", "one", "--json"]);
        assert!(changed(&ended.lines()).is_empty(), "{ended}");
        assert_eq!(ended.lines().last().unwrap()["changed"], 0, "{ended}");
        assert!(s.ok(&["up", "one"]).stdout.contains("nothing to do"));
    });
    steps.step("status is healthy", || {
        assert_eq!(s.ok(&["status", "one", "--json"]).json()["healthy"], true);
    });
    if steps.must("every kind of resource is broken by hand", || break_all(s)).is_ok() {
        steps.step("the plan names each of them with its difference", || named(s));
        steps.step("up repairs exactly those, and leaves what it does not manage alone", || {
            repaired(s)
        });
    }
    steps.step(
        "a second up leaves with 4, naming holder and purpose; a dead holder is taken over",
        || rivals(s),
    );
    steps.step("Ctrl-C ends a run with 130, and the next one goes on", || interrupted(s));
    steps.step("an environment that wants the same addresses is refused, untouched", || {
        same_range(s)
    });
    steps.step("a reviewed plan is applied, or refused with 3 when the machine has moved", || {
        reviewed(s)
    });
    steps
        .step("a machine that takes more memory than it has is stopped at its limit", || memory(s));
    steps.step("after a power cut: status 7, the plan says so, up starts it", || power_cut(s));
    steps.step("after its disk is gone: the plan says what is lost, up makes it new", || {
        lost_disk(s)
    });
    steps.step("the ledger has every run, each chained to the one before", || ledger(s));
    steps.step("down without a terminal and without -y: exit 3, all is still there", || {
        let ended = s.run(&["down", "one"]).expect(3);
        assert!(ended.stderr.contains("one@local") && ended.stderr.contains("-y"), "{ended}");
        drop(s.ok(&["status", "one"]));
    });
    steps.must("down -y leaves nothing", || {
        drop(s.ok(&["down", "one", "-y"]));
        assert!(s.leftovers("one").is_empty(), "{:?}", s.leftovers("one"));
    })?;
    steps.step("down again has nothing to do", || drop(s.ok(&["down", "one", "-y"])));
    Ok(())
}

fn is_empty(s: &Sandbox) {
    let ended = s.run(&["plan", "one", "--exit-code"]).expect(0);
    assert!(ended.stdout.contains("nothing to do"), "{ended}");
}

/// Resources that a run says it changed.
fn changed(events: &[Value]) -> BTreeSet<String> {
    let changed = events.iter().filter(|e| e["type"] == "event" && e["state"] == "changed");
    changed.filter_map(|e| e["resource"].as_str().map(str::to_owned)).collect()
}

/// A kind of damage: shell line, the resource that it shows at, and a word of the difference.
const DAMAGE: &[(&str, &str, &str)] = &[
    (
        "sed -i 's/^MaxAuthTries.*/MaxAuthTries 9/' /etc/ssh/sshd_config.d/10-andamio.conf",
        "file:/etc/ssh/sshd_config.d/10-andamio.conf",
        "-MaxAuthTries 9",
    ),
    ("chmod 666 /etc/redis/redis-6379.conf", "file:/etc/redis/redis-6379.conf", "- mode 0666"),
    ("chown daemon:daemon /etc/hosts", "file:/etc/hosts", "- owner daemon:daemon"),
    (
        "rm /etc/systemd/system/andamio-updates.timer",
        "file:/etc/systemd/system/andamio-updates.timer",
        "+ mode 0644",
    ),
    ("chmod 777 /etc/andamio", "directory:/etc/andamio", "- mode 0777"),
    (
        "sysctl -q -w net.ipv4.tcp_syncookies=0",
        "sysctl:net.ipv4.tcp_syncookies",
        "- net.ipv4.tcp_syncookies 0",
    ),
    (
        "nft add rule inet andamio input tcp dport 9999 accept",
        "firewall:andamio",
        "-\t\ttcp dport 9999 accept",
    ),
    ("systemctl stop redis-server@6379.service", "unit:redis-server@6379.service", "- inactive"),
    ("systemctl disable -q logrotate.timer", "unit:logrotate.timer", "- disabled"),
    (
        "systemctl mask -q --now systemd-timesyncd.service",
        "unit:systemd-timesyncd.service",
        "- masked",
    ),
    (
        "apt-get remove -y -qq unattended-upgrades >/dev/null 2>&1",
        "package:",
        "+ unattended-upgrades installed",
    ),
];
/// Not Andamio's: has to survive.
const OWN: &str =
    "nft add table inet mine && echo mine > /etc/redis/mine.conf && echo mine > /root/mine";
const OWN_THERE: &str = "nft list table inet mine && cat /etc/redis/mine.conf /root/mine";

fn break_all(s: &Sandbox) {
    for (line, ..) in DAMAGE {
        s.on("one", M, line);
    }
    s.on("one", M, OWN);
}

fn named(s: &Sandbox) {
    let plan = s.run(&["plan", "one", "--exit-code", "--json"]).expect(2).json();
    let changes = plan["changes"].as_array().unwrap();
    let mut missing = Vec::new();
    for (_, resource, word) in DAMAGE {
        let shows = |c: &&Value| {
            c["resource"].as_str().is_some_and(|r| r.starts_with(resource))
                && c["diff"].as_str().is_some_and(|d| d.contains(word))
        };
        match changes.iter().find(shows) {
            Some(change) => assert_eq!(change["reason"], "drift", "{change}"),
            None => missing.push(format!("{resource} with `{word}`")),
        }
    }
    assert!(missing.is_empty(), "not in the plan: {missing:#?}\n{plan:#}");
    // Looking changes nothing: the same plan again, with the same id.
    assert_eq!(s.ok(&["plan", "one", "--json"]).json()["id"], plan["id"]);
}

fn repaired(s: &Sandbox) {
    let plan = s.ok(&["plan", "one", "--json"]).json();
    let planned = plan["changes"].as_array().unwrap().iter();
    let planned: BTreeSet<String> =
        planned.map(|c| c["resource"].as_str().unwrap().to_owned()).collect();
    let ended = s.ok(&["up", "one", "--json", "-y"]);
    let changed = changed(&ended.lines());
    let beyond: Vec<_> = changed.difference(&planned).collect();
    assert!(beyond.is_empty(), "changed and not planned: {beyond:?}");
    for (_, resource, _) in DAMAGE {
        assert!(
            changed.iter().any(|c| c.starts_with(resource)),
            "{resource} was not repaired: {ended}"
        );
    }
    is_empty(s);
    s.on("one", M, OWN_THERE);
}

fn rivals(s: &Sandbox) {
    s.on("one", M, "systemctl stop redis-server@6379.service");
    let mut first = s.start(&["up", "one", "--json", "-y"]);
    let begun = first.event("the first run's first step", DEADLINE, |e| e["state"] == "started");
    assert!(begun.is_some(), "it ended at once");
    // Stopped in the middle, so that the second surely meets it.
    first.pause();
    let second = s.run(&["up", "one", "-y"]).expect(4);
    assert!(second.stderr.contains("up one@local") && second.stderr.contains('@'), "{second}");
    first.kill();
    let third = s.ok(&["up", "one", "-y"]);
    assert!(third.stderr.contains("taking over"), "{third}");
    is_empty(s);
}

fn interrupted(s: &Sandbox) {
    s.on("one", M, "systemctl stop redis-server@6379.service && chmod 600 /etc/hosts");
    let first = s.start(&["up", "one", "--json", "-y"]);
    let begun = first.event("the first step", DEADLINE, |e| e["state"] == "started");
    assert!(begun.is_some(), "it ended at once");
    first.interrupt();
    let ended = first.end(DEADLINE).expect(130);
    assert_eq!(ended.lines().last().unwrap()["status"], "cancelled", "{ended}");
    drop(s.ok(&["up", "one", "-y"]));
    is_empty(s);
}

fn same_range(s: &Sandbox) {
    let status = s.run(&["status", "one", "--json"]).json();
    let address = machine(&status)["address"].as_str().unwrap().to_owned();
    let network = address.rsplit_once('.').unwrap().0;
    let rival = Sandbox::new(&format!("{TOML}network = \"{network}.0/24\"\n"));
    let ended = rival.run(&["up", "one", "-y"]);
    assert!(ended.code == Some(1) || ended.code == Some(3), "{ended}");
    assert!(ended.stderr.contains("taken") && ended.stderr.contains("help:"), "{ended}");
    assert!(rival.leftovers("one").is_empty(), "{:?}", rival.leftovers("one"));
    drop(s.ok(&["status", "one"]));
}

fn reviewed(s: &Sandbox) {
    let file = s.folder.join("plan.json");
    let file = file.to_str().unwrap();
    s.on("one", M, "chmod 600 /etc/hosts");
    drop(s.ok(&["plan", "one", "--out", file]));
    s.on("one", M, "chmod 600 /etc/redis/redis-6379.conf");
    let ended = s.run(&["up", "one", "--plan", file, "-y"]).expect(3);
    assert!(ended.stderr.contains("moved"), "{ended}");
    drop(s.ok(&["plan", "one", "--out", file]));
    drop(s.ok(&["up", "one", "--plan", file, "-y"]));
    is_empty(s);
}

fn memory(s: &Sandbox) {
    // tail keeps a line without an end in memory: 3 GiB of it, where there is 1.
    let ended = s.run(&["exec", "one", M, "--", "head -c 3G /dev/zero | tail -n 1 | wc -c"]);
    assert!(!ended.stdout.contains("3221225472"), "it got 3 GiB: {ended}");
    // Reclaiming its last pages takes a machine a while on a busy host.
    until("the machine to be well again", Duration::from_secs(60), || {
        let status = s.run(&["status", "one"]);
        if status.code == Some(0) { Ok(()) } else { Err(status.to_string()) }
    });
}

fn machine(plan: &Value) -> &Value {
    plan["machines"].as_array().unwrap().iter().find(|m| m["name"] == M).unwrap()
}

fn power_cut(s: &Sandbox) {
    s.on("one", M, "echo kept > /root/kept && sync");
    s.cut_power("one", M);
    let status = s.run(&["status", "one", "--json"]).expect(7).json();
    assert_eq!(machine(&status)["state"], "stopped");
    let plan = s.run(&["plan", "one", "--exit-code", "--json"]).expect(2).json();
    assert_eq!(machine(&plan)["action"], "unreachable");
    assert!(machine(&plan)["note"].as_str().unwrap().contains("its disk is there"), "{plan}");
    drop(s.ok(&["up", "one"]));
    is_empty(s);
    assert_eq!(s.on("one", M, "cat /root/kept"), "kept\n");
}

fn lost_disk(s: &Sandbox) {
    s.cut_power("one", M);
    let folder = format!("/var/lib/andamio/instances/{}/machines/{M}", s.id("one"));
    fs::remove_dir_all(folder).unwrap();
    let plan = s.run(&["plan", "one", "--exit-code", "--json"]).expect(2).json();
    assert_eq!(machine(&plan)["action"], "create");
    assert!(machine(&plan)["note"].as_str().is_some_and(|n| n.contains("lost")), "{plan}");
    drop(s.ok(&["up", "one", "-y"]));
    is_empty(s);
}

fn ledger(s: &Sandbox) {
    let history = s.ok(&["history", "one", "--json"]).json();
    let runs = history["runs"].as_array().unwrap();
    assert!(runs.len() >= 8, "{history}");
    // The killed run has a beginning only.
    let status = |name: &str| runs.iter().filter(|r| r["status"] == name).count();
    assert_eq!(status("started"), 1, "{history}");
    assert_eq!(status("failed"), 0, "{history}");
    for run in runs {
        assert_eq!(run["sha256"].as_str().map(str::len), Some(64), "{run}");
    }
}
