//! The development environment of ficharfirm, live: seeded, loaded, used through its page in a
//! browser, damaged in its services and repaired, killed in every phase, taken down. Proves E1 (the
//! environment serves people), the durability settings of the data services, M-part (status and
//! logs of all machines), S1 (who may reach whom), and point 1 of what no comparable tool has.

use crate::{browser, recorded, stream};
use andamio_spec::reserved::is_own_unit;
use andamio_spec::topology::ports;
use andamio_testkit::{
    Abandoned, Ended, Need, Sandbox, Scenario, Steps, command, host, http, run, sandbox::DEADLINE,
};
use serde_json::Value;
use std::fs;
use std::process::Command;

pub(crate) const SCENARIO: Scenario = Scenario { name: "dev", need: Need::Machines, run: all };

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::of_checkout();
    let s = &sandbox;
    steps.must("up", || drop(s.ok(&["up", "dev"])))?;
    let url = steps.must("status: every machine and service is healthy", || healthy(s))?;
    steps
        .must("plan --exit-code is 0", || drop(s.run(&["plan", "dev", "--exit-code"]).expect(0)))?;
    steps.step("up again changes nothing", || unchanged(s));
    let accounts = s.folder.join("accounts");
    steps.must("twenty employees are seeded", || seed(s, &accounts))?;
    steps.step("100 requests a second for 20 s: none fails, none is missing", || {
        let answer = load(&url, &accounts, 100, 20).json();
        let of = |key: &str| answer[key].as_u64().unwrap();
        assert_eq!((of("failures"), of("missing")), (0, 0), "{answer}");
        assert!(of("requests") == 2000 && of("acknowledged") > 1000, "{answer}");
    });
    steps.step("every chain of records verifies", || verify(s));
    match host::browser_impossible() {
        Some(why) => {
            steps.skip("a person signs in, punches and signs the month in a browser", &why)
        }
        None => {
            steps.step("a person signs in, punches and signs the month in a browser", || {
                let text = fs::read_to_string(&accounts).unwrap();
                browser::month(&s.folder, &url, &text);
            });
        }
    }
    steps.step("readyz and metrics answer; a stranger is refused", || strangers(&url));
    steps.step("what is acknowledged is on disk: settings of the running servers", || durable(s));
    steps.step("machines reach what they need and nothing else", || flows(s));
    steps.step("logs of all machines come as one", || logs(s));
    stream::steps(steps, s);
    steps.step("damage in the services is named and repaired", || damage(s));
    steps.step("and the records are all there", || verify(s));
    recorded::steps(steps, s);
    steps.must("down leaves nothing", || down(s))?;
    steps.step("after it nothing is wanted", || recorded::not_wanted(s));
    for (phase, is_it) in PHASES {
        if !steps.step(&format!("up, killed in the phase of {phase}"), || killed(s, phase, *is_it))
        {
            break;
        }
    }
    steps.must("the same command completes; nothing is doubled", || {
        drop(s.ok(&["up", "dev"]));
        drop(healthy(s));
        drop(s.run(&["plan", "dev", "--exit-code"]).expect(0));
        unchanged(s);
        verify(s);
    })?;
    steps.step("a secret reaches processes and one-offs byte for byte", || secrets(s));
    steps.step("what listens beside a process is what no process may have", || reserved(s));
    steps.must("down leaves nothing again", || down(s))
}

/// Also one that no line of a file can carry. Nobody has a key that was made with the former one.
fn secrets(s: &Sandbox) {
    let set = |value: &str| {
        command::run_with(s.command(&["secret", "set", "dev", "SESSION_KEY"]), value, DEADLINE)
    };
    let most = 100 * 1024;
    let stored = || s.on("dev", "app-1", "podman secret ls --quiet").lines().count();
    // One for each of the two processes.
    for (value, is_stored) in [
        ("-----BEGIN KEY-----\n$a \"b\" 'c' \\d %n\té\r\n\n-----END KEY-----\n\n".to_owned(), 2),
        ("x".repeat(most), 2),
        ("one line is in the file of variables again".to_owned(), 0),
    ] {
        drop(set(&value).expect(0));
        drop(s.ok(&["up", "dev", "-y"]));
        assert_eq!(stored(), is_stored);
        let process = "cat /proc/$(podman inspect -f '{{.State.Pid}}' ficharfirm-web)/environ";
        let environment = s.run(&["exec", "dev", "app-1", "--", process]).expect(0).stdout;
        let found = environment.split('\0').find_map(|v| v.strip_prefix("SESSION_KEY="));
        assert!(found == Some(&*value), "{} bytes: {found:?}", value.len());
        verify(s);
        drop(s.run(&["plan", "dev", "--exit-code"]).expect(0));
    }
    for value in ["y".repeat(most + 1), "a\0b".to_owned()] {
        assert!(set(&value).expect(64).stderr.contains("secret-value"));
    }
}

fn reserved(s: &Sandbox) {
    let listening = s.on("dev", "app-1", "ss -Htln | awk '{ print $4 }'");
    for address in listening.lines() {
        let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
        // The process's own.
        let known = port == 8080 || ports::beside_processes(port).is_some();
        assert!(known, "a process could take port {port} from the machine:\n{listening}");
    }
    let units =
        s.on("dev", "app-1", "systemctl list-unit-files --no-legend --type service,timer,socket");
    for unit in units.lines().filter_map(|line| line.split_whitespace().next()) {
        let name = unit.rsplit_once('.').unwrap().0.trim_end_matches('@');
        // A process's name has no dot.
        let name = Some(name).filter(|name| !name.contains('.'));
        let Some((project, process)) = name.and_then(|name| name.split_once('-')) else { continue };
        let own = project == "ficharfirm" || is_own_unit(project, process);
        assert!(own, "a process could be called as the machine's {unit}");
    }
}

/// The URL, when everything is healthy.
pub(crate) fn healthy(s: &Sandbox) -> String {
    let status = s.run(&["status", "dev", "--json"]).expect(0).json();
    let names: Vec<&str> = status["machines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["mariadb-1", "redis-1", "rabbitmq-1", "app-1"], "{status}");
    let services = status["services"].as_array().unwrap();
    assert!(services.len() >= 5 && services.iter().all(|s| s["state"] == "healthy"), "{status}");
    assert!(status["release"].is_string(), "{status}");
    status["url"].as_str().unwrap().to_owned()
}

pub(crate) fn unchanged(s: &Sandbox) {
    let ended = s.ok(&["up", "dev", "--json"]);
    assert_eq!(ended.lines().last().unwrap()["changed"], 0, "{ended}");
}

pub(crate) fn down(s: &Sandbox) {
    drop(s.ok(&["down", "dev", "-y"]));
    assert!(s.leftovers("dev").is_empty(), "{:#?}", s.leftovers("dev"));
}

fn seed(s: &Sandbox, accounts: &std::path::Path) {
    let ended = s.ok(&["run", "dev", "--", "ficharfirm", "seed", "--employees", "20"]);
    assert_eq!(ended.stdout.lines().count(), 20, "{ended}");
    fs::write(accounts, ended.stdout).unwrap();
}

fn load(url: &str, accounts: &std::path::Path, rate: u32, seconds: u32) -> Ended {
    let mut command = Command::new(run::built("ficharfirm"));
    command.args(["load", "--url", url, "--rate", &rate.to_string()]);
    command.args(["--seconds", &seconds.to_string(), "--json", "--accounts"]).arg(accounts);
    let ended = command::run(command, DEADLINE).expect(0);
    Ended { stdout: ended.stdout.replacen('{', "{\"v\":1,\"type\":\"load\",", 1), ..ended }
}

pub(crate) fn verify(s: &Sandbox) {
    let ended = s.ok(&["run", "dev", "--", "ficharfirm", "verify", "--json"]);
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(answer["breaks"], 0, "{answer}");
}

fn authority(url: &str) -> &str {
    url.trim_start_matches("http://").trim_end_matches('/')
}

fn strangers(url: &str) {
    let get = |path: &str| http::request(authority(url), "GET", path, None).unwrap();
    assert_eq!(get("/healthz").status, 200);
    assert_eq!(get("/readyz").status, 200);
    assert!(get("/metrics").body.contains("# TYPE"));
    assert_eq!(get("/api/v1/employees/E00001/timesheets/2026-01").status, 401);
    assert_eq!(get("/api/v1/nowhere").status, 404);
}

/// A kill of a machine proves failover and not durability: the host's page cache survives.
fn durable(s: &Sandbox) {
    let sql = "SELECT @@innodb_flush_log_at_trx_commit, @@sync_binlog, @@log_bin";
    let answer = s.ok(&["db", "dev", "--", sql]).stdout;
    assert_eq!(answer.lines().last(), Some("1\t1\t1"), "{answer}");
    let redis = s.on("dev", "redis-1", &redis("CONFIG GET append*"));
    assert!(redis.contains("appendonly\nyes"), "{redis}");
    let queues =
        s.on("dev", "rabbitmq-1", "rabbitmqctl -q list_queues -p ficharfirm name type durable");
    assert!(queues.contains("sign\tquorum\ttrue"), "{queues}");
}

/// The password stays on the machine, out of every argument list.
fn redis(command: &str) -> String {
    format!(
        "export REDISCLI_AUTH=$(sed -n 's/^requirepass \"*\\([^\"]*\\)\"*$/\\1/p' /etc/redis/redis-6379.conf); \
         redis-cli --tls --cacert /etc/ssl/andamio-authority.pem -h $(hostname -I | cut -d' ' -f1) {command}"
    )
}

fn flows(s: &Sandbox) {
    let status = s.ok(&["status", "dev", "--json"]).json();
    let address = |name: &str| {
        let machines = status["machines"].as_array().unwrap();
        let machine = machines.iter().find(|m| m["name"] == name).unwrap();
        machine["address"].as_str().unwrap().to_owned()
    };
    let reaches = |from: &str, to: &str, port: u16| {
        let line =
            format!("timeout 1 bash -c '</dev/tcp/{}/{port}' 2>/dev/null; echo $?", address(to));
        s.on("dev", from, &line).trim() == "0"
    };
    for (from, to, port, may) in [
        ("app-1", "mariadb-1", 3306, true),
        ("app-1", "redis-1", 6379, true),
        ("app-1", "rabbitmq-1", 5671, true),
        ("app-1", "mariadb-1", 22, false),
        ("app-1", "rabbitmq-1", 15672, false),
        ("redis-1", "mariadb-1", 3306, false),
        ("redis-1", "rabbitmq-1", 5671, false),
        ("mariadb-1", "redis-1", 6379, false),
    ] {
        assert_eq!(reaches(from, to, port), may, "{from} to {to}:{port}");
    }
}

fn logs(s: &Sandbox) {
    let lines = s.ok(&["logs", "dev", "--all", "-n", "500", "--json"]).lines();
    let times: Vec<&str> = lines.iter().map(|l| l["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "not in the order of time");
    for name in ["mariadb-1", "redis-1", "rabbitmq-1", "app-1"] {
        assert!(lines.iter().any(|l| l["machine"] == name), "no line of {name}");
    }
}

/// Machine, shell line, resource that it shows at.
const DAMAGE: &[(&str, &str, &str)] = &[
    (
        "mariadb-1",
        "mariadb -e \"GRANT SELECT ON mysql.* TO app@'$(hostname -I | sed 's/\\.[0-9]* *$/.%/')'\"",
        "mariadb:accounts",
    ),
    (
        "rabbitmq-1",
        "rabbitmqctl -q set_permissions -p ficharfirm app '.*' '.*' '.*'",
        "rabbitmq:accounts",
    ),
    ("app-1", "systemctl stop ficharfirm-worker.service", "unit:ficharfirm-worker.service"),
];

fn damage(s: &Sandbox) {
    for (machine, line, _) in DAMAGE {
        s.on("dev", machine, line);
    }
    s.on("dev", "redis-1", &redis("CONFIG SET appendonly no"));
    // A container that is killed comes back by itself.
    s.on("dev", "app-1", "systemctl kill -s KILL ficharfirm-web.service");
    let plan = s.run(&["plan", "dev", "--exit-code", "--json"]).expect(2).json();
    let names = |resource: &str| {
        plan["changes"].as_array().unwrap().iter().any(|c| c["resource"] == resource)
    };
    for (_, _, resource) in DAMAGE {
        assert!(names(resource), "{resource} is not in the plan: {plan:#}");
    }
    assert!(names("redis:6379"), "redis:6379 is not in the plan: {plan:#}");
    let secret = s.on("dev", "redis-1", "sed -n 's/^requirepass *//p' /etc/redis/redis-6379.conf");
    assert!(!plan.to_string().contains(secret.trim()), "the plan shows a password");
    drop(s.ok(&["up", "dev", "-y"]));
    drop(s.run(&["plan", "dev", "--exit-code"]).expect(0));
    drop(healthy(s));
}

type IsIt = fn(&Value) -> bool;
/// Phases of `up` on a cached image, by the event after which it is killed.
const PHASES: &[(&str, IsIt)] = &[
    ("machines", |e| step(e, "machine:") && e["state"] == "waiting"),
    ("services", |e| {
        step(e, "converge:")
            && !step(e, "converge:app")
            && resource(e, "package:")
            && e["state"] != "waiting"
    }),
    ("release", |e| step(e, "release") && e["state"] == "started"),
    ("app", |e| step(e, "converge:app") && e["state"] == "started"),
];

fn step(event: &Value, prefix: &str) -> bool {
    event["step"].as_str().is_some_and(|s| s.starts_with(prefix))
}

fn resource(event: &Value, prefix: &str) -> bool {
    event["resource"].as_str().is_some_and(|r| r.starts_with(prefix))
}

fn killed(s: &Sandbox, phase: &str, is_it: IsIt) {
    let mut up = s.start(&["up", "dev", "--json"]);
    let event = up.event(&format!("the phase of {phase}"), DEADLINE, is_it);
    if event.is_none() {
        panic!("up ended before the phase of {phase}: {}", up.end(DEADLINE));
    }
    up.kill();
}
