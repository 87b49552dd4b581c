//! What one machine does to itself stays with it: its disk filled, a fork bomb, more memory than it has. Its
//! neighbour answers, the host keeps its room, `status` shows use against limit. A larger disk is a restart, a
//! smaller one is refused. Proves K5 at run time.

use andamio_testkit::wait::until;
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps, command, sandbox::DEADLINE};
use serde_json::Value;
use std::panic::{self, AssertUnwindSafe};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const SCENARIO: Scenario = Scenario { name: "limits", need: Need::Machines, run: all };

fn toml(disk: &str) -> String {
    format!(
        "[project]\nname = \"limits\"\n[environments.one]\n\
         redis = {{ machines = 1, size = \"1x1\", disk = \"{disk}\" }}\n\
         mariadb = {{ machines = 1, size = \"1x1\", disk = \"5 GB\" }}\n\
         limits = {{ machines = 3, storage = \"15 GB\", transfer = \"1 TB/month\" }}\n"
    )
}
const GB: u64 = 1_000_000_000;
/// The one that misbehaves, and its neighbour.
const M: &str = "redis-1";
const NEIGHBOUR: &str = "mariadb-1";
/// Most processes of a machine.
const TASKS: u64 = 8192;

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::new(&toml("5 GB"));
    let s = &sandbox;
    steps.must("up", || drop(s.ok(&["up", "one"])))?;
    steps.step(
        "status shows what is used of memory, disk, tasks and the environment's limits",
        || {
            shown(s);
        },
    );
    let calm = steps.must("the neighbour in calm", || watch(s, || thread::sleep(SPAN)))?;
    steps.figure("calm", calm.row());
    let mut seen = None;
    steps.step(
        "a machine that fills its disk: no space there, and nothing less on the host",
        || {
            seen = Some(watch(s, || full(s)));
        },
    );
    steps.figure("full_disk", seen.take().map(|seen| seen.row()));
    steps.step(
        "a fork bomb stays below the machine's own number of processes, and ends with its power",
        || {
            seen = Some(watch(s, || bomb(s)));
        },
    );
    steps.figure("fork_bomb", seen.take().map(|seen| seen.row()));
    steps.step("a program that takes more memory than the machine has is ended", || {
        seen = Some(watch(s, || hog(s)));
    });
    steps.figure("memory_hog", seen.take().map(|seen| seen.row()));
    steps.step("afterwards everything is as declared", || whole(s));
    steps.step(
        "a larger disk is a restart with all that was there; a smaller one is refused",
        || {
            grown(s);
        },
    );
    steps.must("down leaves nothing, no loop device either", || {
        drop(s.ok(&["down", "one", "-y"]));
        assert!(s.leftovers("one").is_empty(), "{:?}", s.leftovers("one"));
    })
}

fn shown(s: &Sandbox) {
    let status = s.ok(&["status", "one", "--json"]).json();
    for machine in status["machines"].as_array().unwrap() {
        let of = |key: &str| machine[key].as_u64().unwrap_or_else(|| panic!("no {key}: {machine}"));
        assert!(of("memory_bytes") > 0 && of("memory_bytes") < of("memory_limit_bytes"));
        assert!((4 * GB..=5 * GB).contains(&of("disk_limit_bytes")), "{machine}");
        assert!(
            of("disk_bytes") < GB && of("tasks") > 5 && of("tasks_limit") == TASKS,
            "{machine}"
        );
    }
    let limits = &status["limits"];
    let pair = |key: &str| (limits[key]["used"].as_u64(), limits[key]["limit"].as_u64());
    assert_eq!(pair("machines"), (Some(2), Some(3)), "{limits}");
    assert_eq!(pair("storage_bytes"), (Some(10 * GB), Some(15 * GB)), "{limits}");
    assert_eq!(pair("transfer_bytes").1, Some(1000 * GB), "{limits}");
    until("the first count of what is sent", Duration::from_secs(90), || {
        let status = s.ok(&["status", "one", "--json"]).json();
        let used = status["limits"]["transfer_bytes"]["used"].as_u64();
        if used.is_some_and(|bytes| bytes > 0) { Ok(()) } else { Err(status.to_string()) }
    });
    let size = s.on("one", M, "df -B1 --output=size / | tail -n 1");
    let size: u64 = size.trim().parse().unwrap();
    assert!((4 * GB..=5 * GB).contains(&size), "df says {size}");
}

fn host_free() -> u64 {
    let output = Command::new("stat").args(["-f", "-c", "%a %S", "/var/lib/andamio"]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    text.split_whitespace().map(|n| n.parse::<u64>().unwrap()).product()
}

fn full(s: &Sandbox) {
    let before = host_free();
    let room = "$(($(stat -f -c '%a * %S' /)))";
    let fill = format!(
        "fallocate -l {room} /fill 2>/dev/null; fallocate -l $(({room} - 4096 * 64)) /more 2>/dev/null; \
         dd if=/dev/zero of=/rest bs=4k 2>&1; stat -f -c 'left %a' /"
    );
    let said = s.run(&["exec", "one", M, "--", &fill]).stdout;
    assert!(said.contains("No space left on device") && said.contains("left 0\n"), "{said}");
    let status = s.run(&["status", "one", "--json"]).json();
    let machine = machine(&status);
    assert_eq!(machine["disk_bytes"], machine["disk_limit_bytes"], "{machine}");
    let taken = before.saturating_sub(host_free());
    assert!(taken < GB, "the host lost {taken} bytes");
    s.on("one", M, "rm -f /fill /more /rest");
}

/// Forks until it has all the processes that it may have.
fn bomb(s: &Sandbox) {
    let properties = "-p TasksMax=infinity -p OOMScoreAdjust=1000";
    let line = "f() { sleep 30 & f | f & }; f; sleep 30";
    s.on("one", M, &format!("systemd-run --quiet {properties} --unit=bomb bash -c '{line}'"));
    let mut most = 0;
    let begun = Instant::now();
    while begun.elapsed() < SPAN {
        // It may be too busy to answer; the host knows.
        let status = s.run(&["status", "one", "--json"]).json();
        most = most.max(tasks(&status));
        assert!(most <= TASKS, "{most}");
    }
    assert!(most > 300, "no bomb: {most}");
    // Its own processes get a thousandth of a processor each, systemd among them: it is beyond help from inside.
    // `up` would cut its power too, once the machine is a minute old.
    s.cut_power("one", M);
    drop(s.ok(&["up", "one", "-y"]));
    let status = s.ok(&["status", "one", "--json"]).json();
    assert!(tasks(&status) < 200, "{status}");
}

fn tasks(status: &Value) -> u64 {
    machine(status)["tasks"].as_u64().unwrap()
}

fn machine(of: &Value) -> &Value {
    of["machines"].as_array().unwrap().iter().find(|m| m["name"] == M).unwrap()
}

fn hog(s: &Sandbox) {
    // tail keeps a line without an end in memory: 3 GiB of it, where there is 1.
    let ended = s.run(&["exec", "one", M, "--", "head -c 3G /dev/zero | tail -n 1 | wc -c"]);
    assert!(!ended.stdout.contains("3221225472"), "it got 3 GiB: {ended}");
}

fn whole(s: &Sandbox) {
    until("all to be well", Duration::from_secs(60), || {
        let status = s.run(&["status", "one"]);
        if status.code == Some(0) { Ok(()) } else { Err(status.to_string()) }
    });
    drop(s.run(&["plan", "one", "--exit-code"]).expect(0));
}

fn grown(s: &Sandbox) {
    s.on("one", M, "echo kept > /root/kept && sync");
    s.rewrite(&toml("7 GB"));
    drop(s.ok(&["up", "one", "-y"]));
    assert_eq!(s.on("one", M, "cat /root/kept"), "kept\n");
    let size: u64 = s.on("one", M, "df -B1 --output=size / | tail -n 1").trim().parse().unwrap();
    assert!((6 * GB..=7 * GB).contains(&size), "df says {size}");
    whole(s);
    s.rewrite(&toml("6 GB"));
    let refused = s.run(&["up", "one", "-y"]).expect(3);
    assert!(refused.stderr.contains("a disk only grows"), "{refused}");
    s.rewrite(&toml("7 GB"));
}

const SPAN: Duration = Duration::from_secs(10);

/// What the neighbour's users saw.
struct Latency {
    asked: usize,
    failed: usize,
    p50_us: u128,
    p99_us: u128,
    longest_us: u128,
}

impl Latency {
    fn row(&self) -> Value {
        serde_json::json!({
            "asked": self.asked, "failed": self.failed, "p50_us": self.p50_us,
            "p99_us": self.p99_us, "longest_us": self.longest_us,
        })
    }
}

/// Asks the neighbour's database on its own machine, some fifteen times a second, while something is done.
const ASK: &str = "rm -f /run/enough; while [ ! -e /run/enough ]; do a=${EPOCHREALTIME/./}; \
    mariadb -e 'SELECT 1' >/dev/null 2>&1 && r=ok || r=bad; \
    echo \"$r $((${EPOCHREALTIME/./} - a))\"; sleep 0.05; done";

fn watch(s: &Sandbox, work: impl FnOnce()) -> Latency {
    let asking = s.command(&["exec", "one", NEIGHBOUR, "--", ASK]);
    let asking = thread::spawn(|| command::run(asking, DEADLINE));
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    s.on("one", NEIGHBOUR, "touch /run/enough");
    let said = asking.join().unwrap().expect(0).stdout;
    if let Err(why) = done {
        panic::resume_unwind(why);
    }
    let lines: Vec<(&str, u128)> = said
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(result, took)| (result, took.parse().unwrap()))
        .collect();
    let mut times: Vec<u128> = lines.iter().map(|(_, took)| *took).collect();
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or(0);
    let seen = Latency {
        asked: times.len(),
        failed: lines.iter().filter(|(result, _)| *result != "ok").count(),
        p50_us: at(50),
        p99_us: at(99),
        longest_us: times.last().copied().unwrap_or(0),
    };
    assert!(seen.asked > 3 && seen.failed == 0, "{NEIGHBOUR}: {said}");
    seen
}
