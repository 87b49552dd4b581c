//! The machine's side of a run, hit in the middle of a resource: the node killed, its tools killed, the
//! machine's power cut. Whatever the moment, the run goes on or ends with 1 and clear words, the same command
//! completes, the plan is empty, nothing is doubled, and no lock needs a hand, dpkg's included.

use super::strike::{Hit, Moment, SOON, TRIES, When, moment, ms, wait_for};
use andamio_testkit::inside::Process;
use andamio_testkit::{Abandoned, Running, Sandbox, Steps, sandbox::DEADLINE};
use serde_json::{Value, json};
use std::time::Instant;

/// Redis is the smallest group.
const TOML: &str =
    "[project]\nname = \"moments\"\n[environments.one]\nredis = { machines = 1, size = \"1x1\" }\n";
const M: &str = "redis-1";
use Hit::{Itself, Node, Twice};
use When::{File, Process as Runs, Says};

const PURGE: &str = "apt-get -qq purge -y redis-server redis-tools >/dev/null 2>&1; apt-get clean";
const SSHD: &str =
    "sed -i 's/^MaxAuthTries.*/MaxAuthTries 9/' /etc/ssh/sshd_config.d/10-andamio.conf";
const STOP: &str = "systemctl stop redis-server@6379.service";
const CONFIG: &str = "echo '# by hand' >>/etc/redis/redis-6379.conf";
const UNIT: &str = "unit:redis-server@6379.service";

const NODE: &[Moment] = &[
    moment("it begins", PURGE, Runs(&["node apply", "agent"]), Node),
    moment("packages are fetched", PURGE, Runs(&["apt/methods/http"]), Node),
    moment("a package is unpacked", PURGE, Runs(&["dpkg", "--unpack"]), Node),
    moment("a package is configured", PURGE, Runs(&["dpkg", "--configure"]), Node),
    moment("a package's own script runs", PURGE, Runs(&["redis-server.postinst"]), Node),
    moment("a package is unpacked, twice", PURGE, Runs(&["dpkg", "--unpack"]), Twice),
    moment("a file waits for its place", SSHD, File("etc/ssh/sshd_config.d", ".andamio-"), Node),
    moment("a file is judged", SSHD, Runs(&["sshd", "-t"]), Node),
    moment("a file is judged, twice", SSHD, Runs(&["sshd", "-t"]), Twice),
    moment(
        "the firewall is replaced",
        "nft add rule inet andamio input tcp dport 9999 accept",
        File("run/andamio", "undo-"),
        Node,
    ),
    moment("a unit starts", STOP, Says(UNIT, "starting"), Node),
    moment("a unit restarts", CONFIG, Says(UNIT, "restarting"), Node),
    moment(
        "the node itself is copied",
        "rm -rf /var/lib/andamio/agent",
        Runs(&["mktemp", "/var/lib/andamio/agent"]),
        Itself,
    ),
    moment("apt-get dies", PURGE, Runs(&["apt-get", "install"]), Itself),
    moment("dpkg dies as it unpacks", PURGE, Runs(&["dpkg", "--unpack"]), Itself),
    moment("dpkg dies as it configures", PURGE, Runs(&["dpkg", "--configure"]), Itself),
];

const POWER: &[Moment] = &[
    moment("packages are fetched", PURGE, Runs(&["apt/methods/http"]), Node),
    moment("a package is unpacked", PURGE, Runs(&["dpkg", "--unpack"]), Node),
    moment("a package is configured", PURGE, Runs(&["dpkg", "--configure"]), Node),
    moment("a package's own script runs", PURGE, Runs(&["redis-server.postinst"]), Node),
    moment("a file waits for its place", SSHD, File("etc/ssh/sshd_config.d", ".andamio-"), Node),
];

/// Rows of the node's kills and of the power cuts.
pub(super) fn all(steps: &mut Steps) -> Result<(Vec<Value>, Vec<Value>), Abandoned> {
    let sandbox = Sandbox::new(TOML);
    let s = &sandbox;
    steps.must("one machine", || drop(s.ok(&["up", "one"])))?;
    let (mut kills, mut cuts) = (Vec::new(), Vec::new());
    for moment in NODE {
        let mut row = json!({ "moment": moment.what });
        steps.step(&format!("the node is hit as {}", moment.what), || kill(s, moment, &mut row));
        kills.push(row);
    }
    for moment in POWER {
        let mut row = json!({ "moment": moment.what });
        steps.step(&format!("power is cut as {}", moment.what), || cut(s, moment, &mut row));
        cuts.push(row);
    }
    steps.must("the machine goes", || drop(s.ok(&["down", "one", "-y"])))?;
    Ok((kills, cuts))
}

fn kill(s: &Sandbox, moment: &Moment, row: &mut Value) {
    let up = strike(
        s,
        moment,
        |node, matched| {
            if moment.hit == Itself { matched.kill() } else { node.kill() }
        },
    );
    let struck = Instant::now();
    let ended = up.end(DEADLINE);
    row["ended"] = ended.code.into();
    row["ended_after_ms"] = ms(struck.elapsed());
    assert!(matches!(ended.code, Some(0 | 1)), "{ended}");
    assert!(moment.hit != Twice || ended.code == Some(1), "it went on without a node: {ended}");
    if ended.code == Some(1) {
        let error = ended.lines().pop().unwrap()["error"].clone();
        let says = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        assert!(says("message").contains(M) && !says("help").is_empty(), "{error}\n{ended}");
        row["says"] = says("message").lines().next().unwrap_or_default().into();
    }
    let again = s.ok(&["up", "one", "--json", "-y"]);
    row["again_ms"] = ms(again.took);
    whole(s);
    row["ok"] = true.into();
}

fn cut(s: &Sandbox, moment: &Moment, row: &mut Value) {
    s.on("one", M, "echo kept >/root/kept; sync");
    let up = strike(s, moment, |_, _| s.cut_power("one", M));
    let struck = Instant::now();
    let ended = up.end(DEADLINE).expect(1);
    row["ended_after_ms"] = ms(struck.elapsed());
    assert!(struck.elapsed() < SOON, "noticed after {:?}: {ended}", struck.elapsed());
    let error = ended.lines().pop().unwrap()["error"].clone();
    assert!(
        error["code"] == "machine-off" && error["message"].as_str().unwrap().contains(M),
        "{error}"
    );
    let again = s.ok(&["up", "one", "--json", "-y"]);
    row["again_ms"] = ms(again.took);
    whole(s);
    assert_eq!(s.on("one", M, "cat /root/kept"), "kept\n");
    row["ok"] = true.into();
}

/// A run that was hit at the moment.
fn strike(s: &Sandbox, moment: &Moment, hit: impl Fn(&Process, &Process)) -> Running {
    'again: for _ in 0..TRIES {
        s.on("one", M, moment.damage);
        let mut up = s.start(&["up", "one", "--json", "-y"]);
        let mut before = None;
        for _ in 0..if moment.hit == Twice { 2 } else { 1 } {
            let Some((node, matched)) = wait_for(s, M, &mut up, moment, before) else {
                drop(up.end(DEADLINE));
                continue 'again;
            };
            hit(&node, &matched);
            before = Some(node.pid);
        }
        return up;
    }
    panic!("{TRIES} runs ended before {}", moment.what);
}

/// Nothing is left to do, and nothing is there twice or half.
fn whole(s: &Sandbox) {
    drop(s.run(&["plan", "one", "--exit-code"]).expect(0));
    let ended = s.ok(&["up", "one", "--json"]);
    assert_eq!(ended.lines().last().unwrap()["changed"], 0, "{ended}");
    drop(s.ok(&["status", "one"]));
    // apt-get takes dpkg's locks and finds nothing to finish; nothing is half installed.
    let dpkg = s.on("one", M, "apt-get -qq check && dpkg --audit && ls /var/lib/dpkg/updates");
    assert_eq!(dpkg, "", "dpkg is not whole");
    let half = s.on("one", M, "find /etc /var/lib/andamio -name '.andamio*'");
    assert_eq!(half, "", "files are left beside others");
    assert_eq!(s.on("one", M, "pgrep -c redis-server"), "1\n");
    let tables = s.on("one", M, "nft list tables | sort");
    assert_eq!(tables, "table inet andamio\ntable inet andamio_transfer\n");
    let node = s.process("one", M, &["/var/lib/andamio/agent/", "node apply"]);
    assert!(node.is_none(), "another node is at work: {node:?}");
}
