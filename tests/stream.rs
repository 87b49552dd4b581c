//! Commands as people type them: input that stays open, a terminal, signals, a reader or an operator who goes away,
//! dumps of any length; and the journals. In an environment that another scenario has brought up.

use andamio_testkit::terminal::AtTerminal;
use andamio_testkit::wait::until;
use andamio_testkit::{Sandbox, Steps};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
/// The longest that a command may go on after its operator is gone, and a moment to look.
const GONE: Duration = Duration::from_secs(15);
/// Bytes that an import of any length may take in this program.
const MEMORY: u64 = 60 << 20;

pub(crate) fn steps(steps: &mut Steps, s: &Sandbox) {
    steps.step(
        "a command ends its verb while input stays open, and has lines as they come",
        || {
            open_input(s);
        },
    );
    steps.step("statuses are the command's own, and 128 + signal", || statuses(s));
    steps.step("a terminal has its size, is resized, and Ctrl-C ends what is in front", || {
        terminals(s);
    });
    steps.step("signals are passed on, and nothing stays", || signals(s));
    steps.step("an operator who is killed leaves nothing on the machine", || killed(s));
    steps.step("a dump goes in and out in bounded memory, a row of 9 MB with it", || dumps(s));
    steps.step(
        "journals: long lines whole, units by name, times, newest of all, a reader that goes",
        || {
            journals(s);
        },
    );
}

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: &mut Child, patience: Duration) -> Option<i32> {
    until("the end of a command", patience, || {
        child.try_wait().unwrap().ok_or_else(|| "it goes on".to_owned())
    })
    .code()
}

fn open_input(s: &Sandbox) {
    for words in [
        &["exec", "dev", "app-1", "--", "hostname"][..],
        &["run", "dev", "--", "ficharfirm", "--version"],
        &["db", "dev", "--", "SELECT 1"],
    ] {
        let mut child = start(s.command(words));
        let input = child.stdin.take();
        assert!(ended(&mut child, SOON).is_some(), "{words:?}");
        drop(input);
    }
    let mut child = start(s.command(&["exec", "dev", "app-1", "--", "cat"]));
    let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut output = BufReader::new(output);
    for text in ["one\n", "two\n"] {
        input.write_all(text.as_bytes()).unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, text);
    }
    drop(input);
    assert_eq!(ended(&mut child, SOON), Some(0));
    // What it leaves in the background does not hold it up.
    assert_eq!(s.on("dev", "app-1", "sleep 30 & echo begun"), "begun\n");
}

fn statuses(s: &Sandbox) {
    drop(s.run(&["exec", "dev", "app-1", "--", "exit 3"]).expect(3));
    drop(s.run(&["exec", "dev", "app-1", "--", "sh", "-c", "kill -9 $$"]).expect(137));
    drop(s.run(&["run", "dev", "--", "nonsense"]).expect(127));
    let mut child = start(s.command(&["exec", "dev", "app-1", "--", "yes"]));
    let mut first = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    // The pipe is closed with the first line: as any tool that writes on, and without a word.
    assert_eq!(ended(&mut child, SOON), Some(141));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

fn terminals(s: &Sandbox) {
    for words in [&["exec", "dev", "app-1", "--", "bash"][..], &["ssh", "dev", "app-1"]] {
        let mut shell = AtTerminal::start(&s.command(words));
        shell.press("stty size\r");
        shell.shows("24 80");
        shell.resize(50, 132);
        shell.press("stty size\r");
        shell.shows("50 132");
        shell.press("exit 7\r");
        assert_eq!(shell.end(), Some(7));
    }
    let mut client = AtTerminal::start(&s.command(&["db", "dev"]));
    client.shows("MariaDB [");
    client.press("SELECT 6*7 AS answer;\r");
    client.shows("42");
    client.press("exit\r");
    assert_eq!(client.end(), Some(0));
    let mut worker = AtTerminal::start(&s.command(&["run", "dev", "--", "ficharfirm", "worker"]));
    // Before that nothing in the container hears a signal: it is its first process.
    worker.shows("waiting for months");
    worker.press("\u{3}");
    assert!(worker.end().is_some());
    gone(s, CONTAINER);
}

/// Words of a process on app-1 that stands for the command: of a container, its monitor.
const CONTAINER: &[&str] = &["conmon", "andamio-run-"];
const PLAIN: &[&str] = &["sleep 4711"];

fn begun(s: &Sandbox, words: &[&str]) {
    until("the command on the machine", SOON, || {
        s.process("dev", "app-1", words).map(drop).ok_or_else(|| "it is not there".to_owned())
    });
}

fn gone(s: &Sandbox, words: &[&str]) {
    until("nothing being left on the machine", GONE, || match s.process("dev", "app-1", words) {
        Some(process) => Err(process.command),
        None => Ok(()),
    });
}

fn signals(s: &Sandbox) {
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let mut child = start(s.command(&["exec", "dev", "app-1", "--", "sleep 4711"]));
        begun(s, PLAIN);
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        assert_eq!(ended(&mut child, SOON), Some(status), "{signal}");
        gone(s, PLAIN);
    }
    let mut child = start(s.command(&["run", "dev", "--", "ficharfirm", "worker"]));
    begun(s, CONTAINER);
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(ended(&mut child, SOON).is_some());
    gone(s, CONTAINER);
}

fn killed(s: &Sandbox) {
    // It hears nothing, and has a child that hears nothing.
    let deaf = "trap '' TERM INT HUP; (sleep 4711; :) & sleep 4711; wait";
    let mut child = start(s.command(&["exec", "dev", "app-1", "--", deaf]));
    begun(s, PLAIN);
    child.kill().unwrap();
    let _ = child.wait();
    gone(s, PLAIN);
    let mut child = start(s.command(&["run", "dev", "--", "ficharfirm", "worker"]));
    begun(s, CONTAINER);
    // It stands still, and cannot hear either.
    let stop = "until p=$(pgrep -P $(podman inspect --format '{{.State.Pid}}' \
                $(podman ps --quiet --filter name=andamio-run-))); do sleep 0.1; done; kill -STOP $p";
    s.on("dev", "app-1", stop);
    child.kill().unwrap();
    let _ = child.wait();
    gone(s, CONTAINER);
    let left =
        s.on("dev", "app-1", "podman ps --all --format '{{.Names}}'; ls /var/lib/andamio/runs");
    assert!(!left.contains("andamio-run-"), "{left}");
}

fn dumps(s: &Sandbox) {
    let mut child = start(s.command(&["db", "dev"]));
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"CREATE TABLE dumped (id INT PRIMARY KEY, b LONGBLOB);\n").unwrap();
    let digits = "ab".repeat(1 << 20);
    for id in 0..32 {
        writeln!(input, "INSERT INTO dumped VALUES ({id}, 0x{digits});").unwrap();
    }
    writeln!(input, "INSERT INTO dumped VALUES (99, 0x{});", digits.repeat(9)).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let most = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    let most: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(most << 10 < MEMORY, "{most} kB");
    drop(input);
    let code = ended(&mut child, Duration::from_secs(120));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(code == Some(0), "{said}");
    let count = s.ok(&["db", "dev", "--", "SELECT COUNT(*), MAX(LENGTH(b)) FROM dumped"]).stdout;
    assert!(count.ends_with("33\t9437184\n"), "{count}");
    let out = s.ok(&["db", "dev", "--", "SELECT HEX(b) FROM dumped"]).stdout;
    assert!(out.len() > (32 << 21) + (9 << 21), "{}", out.len());
    // What cannot be taken is not shown whole.
    let bad = format!("INSERT INTO nowhere VALUES (0x{digits});\n");
    let failed = andamio_testkit::command::run_with(s.command(&["db", "dev"]), &bad, SOON);
    assert!(failed.code == Some(1) && failed.stderr.len() < 10_000, "{}", failed.stderr.len());
    drop(s.ok(&["db", "dev", "--", "DROP TABLE dumped"]));
}

fn journals(s: &Sandbox) {
    s.on(
        "dev",
        "app-1",
        "for n in 6000 60000; do head -c $n /dev/zero | tr '\\0' x; echo; done | systemd-cat -t scenario; \
         printf 'turned \\033[2J\\n' | systemd-cat -t scenario; journalctl --sync",
    );
    let lengths = || {
        let lines = s.ok(&["logs", "dev", "--unit", "scenario", "--since", "1h", "--json"]).lines();
        let length = |l: &serde_json::Value| l["message"].as_str().unwrap().len();
        lines.iter().map(length).collect::<Vec<_>>()
    };
    assert_eq!(lengths(), [6000, 60000, 11]);
    // Whoever only asks for the past gets it in the order of time, and no more than was asked for.
    let lines = s.ok(&["logs", "dev", "--all", "-n", "7", "--json"]).lines();
    assert_eq!(lines.len(), 7);
    let own = |all: &[&str]| {
        let words = [&["logs", "dev", "--machine", "app-1", "-n", "500"], all].concat();
        s.ok(&words).stdout.contains("Accepted publickey")
    };
    assert!(!own(&[]) && own(&["--all"]), "own logins");
    for unit in ["web", "mariadb", "ssh.service"] {
        drop(s.ok(&["logs", "dev", "--unit", unit, "-n", "1"]));
    }
    let wrong = s.run(&["logs", "dev", "--unit", "mariabd"]).expect(64);
    assert!(wrong.stderr.contains("did you mean `mariadb`"), "{wrong}");
    let found = s.ok(&["logs", "dev", "--all", "--grep", "^turn(ed) ", "-n", "9"]).stdout;
    assert!(found.lines().count() == 1 && found.contains("turned \u{1b}[2J"), "{found:?}");
    let mut seen = AtTerminal::start(&s.command(&["logs", "dev", "--unit", "scenario", "-n", "1"]));
    seen.shows("turned ^[[2J");
    assert_eq!(seen.end(), Some(0));
    // A reader that goes away ends it although no further line comes.
    let mut child = start(s.command(&["logs", "dev", "-f", "--unit", "scenario", "-n", "5"]));
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(ended(&mut child, SOON), Some(141));
    // New lines arrive as they are written.
    let mut child = start(s.command(&["logs", "dev", "-f", "--unit", "scenario", "-n", "0"]));
    let output = BufReader::new(child.stdout.take().unwrap());
    s.on(
        "dev",
        "app-1",
        "for n in 1 2 3 4 5; do echo later | systemd-cat -t scenario; sleep 1; done",
    );
    let line = output.lines().next().unwrap().unwrap();
    assert!(line.ends_with(" later"), "{line}");
    child.kill().unwrap();
    let _ = child.wait();
}
