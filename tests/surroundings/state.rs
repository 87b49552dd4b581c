//! Bad days of the state: full, read-only, somebody else's, damaged, or from a time that has not come yet.

use super::{TOML, among, complains};
use andamio_testkit::{Ended, Sandbox, Steps, command, run, sandbox::DEADLINE};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// What a file can become that was not written to its end, or by somebody else.
const GARBAGE: [&[u8]; 5] = [b"", b"{\"v\": 1, \"hold", b"[]", b"\"text\"", b"\0\xff\0\xff"];

pub(super) fn all(steps: &mut Steps, s: &Sandbox) {
    let state = s.state().display().to_string();
    steps.step("its disk is full", || {
        let sandbox = Sandbox::new(TOML);
        let state = sandbox.state().display().to_string();
        let full = format!(
            "mkdir {state}; mount -t tmpfs -o size=4k,nr_inodes=4 none {state}; \
                            head -c 64k /dev/zero >{state}/other 2>/dev/null || true"
        );
        let ended = run_among(&sandbox, &full, &["up", "one"]);
        drop(complains(ended, 1, &["to the state", "No space left"]));
        assert!(sandbox.leftovers("one").is_empty(), "{:?}", sandbox.leftovers("one"));
    });
    steps.step("it is read-only: reading goes on, `up` says why not", || {
        let closed = format!("mount --bind {state} {state}; mount -o remount,ro,bind {state}");
        drop(run_among(s, &closed, &["plan", "one", "--exit-code"]).expect(0));
        drop(run_among(s, &closed, &["history", "one"]).expect(0));
        drop(complains(run_among(s, &closed, &["up", "one"]), 1, &["lock", "Read-only"]));
    });
    steps.step("it is somebody else's", || {
        let ended = as_nobody(s, &["history", "one"]);
        drop(complains(ended, 1, &["state", "Permission denied"]));
    });
    let cases: [(&str, &[&str], &str); 3] = [
        ("ledger", &["history", "one"], "ledger"),
        ("secrets", &["plan", "one"], "secrets"),
        ("lock", &["up", "one"], "andamio unlock"),
    ];
    for (series, words, says) in cases {
        steps.step(&format!("the newest object of `{series}` is garbage"), || {
            for garbage in GARBAGE {
                let copy = copy(s);
                let file = newest(&copy, series);
                fs::write(&file, garbage).unwrap();
                drop(complains(copy.run(words), 1, &[series, says]));
                // The next run does not go on as if nothing were there.
                drop(complains(copy.run(&["up", "one"]), 1, &[series]));
                assert!(copy.leftovers("one").is_empty(), "{:?}", copy.leftovers("one"));
                if series == "lock" {
                    drop(copy.ok(&["unlock", "one", "-y"]));
                    drop(copy.ok(&["down", "one", "-y"]));
                }
            }
        });
    }
    steps.step("a garbled digest of what was sent is no more than that", || {
        for garbage in GARBAGE {
            let copy = copy(s);
            fs::write(newest(&copy, "manifests/redis-1"), garbage).unwrap();
            drop(copy.run(&["plan", "one", "--exit-code"]).expect(2));
        }
    });
    for (ahead, years, days) in [("ten years", 10, 0), ("a day", 0, 1)] {
        steps.step(&format!("a lock from {ahead} ahead: 4, with a word about clocks"), || {
            let copy = copy(s);
            from_the_future(&copy, years, days);
            drop(complains(copy.run(&["up", "one"]), 4, &["clock", "andamio unlock"]));
            drop(copy.ok(&["unlock", "one", "-y"]));
            drop(copy.ok(&["down", "one", "-y"]));
        });
    }
}

fn run_among(s: &Sandbox, setup: &str, arguments: &[&str]) -> Ended {
    command::run(among(setup, &s.command(arguments)), DEADLINE)
}

/// Another project with the same state: what is done to it is nobody else's, and it has an id of its own.
fn copy(s: &Sandbox) -> Sandbox {
    let copy = Sandbox::new(TOML);
    let mut cp = Command::new("cp");
    cp.arg("-a").arg(s.state()).arg(copy.state());
    drop(command::run(cp, DEADLINE).expect(0));
    fs::remove_dir_all(copy.state().join("one.local/owner")).unwrap();
    copy
}

fn newest(s: &Sandbox, series: &str) -> PathBuf {
    let folder = s.state().join("one.local").join(series);
    let entries = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|e| e == "json")).max().unwrap()
}

/// Somebody else's, on another machine, whose clock is ahead.
fn from_the_future(s: &Sandbox, years: i64, days: i64) {
    let newest = newest(s, "lock");
    let mut record: Value = serde_json::from_slice(&fs::read(&newest).unwrap()).unwrap();
    let now = jiff::Zoned::now();
    let then = &now + jiff::Span::new().years(years).days(days);
    record["holder"]["boot"] = json!("another");
    record["holder"]["by"] = json!("ana@there");
    record["since"] = json!(then.timestamp().to_string());
    record["expires"] = json!((then.timestamp() + jiff::SignedDuration::from_secs(60)).to_string());
    record["released"] = json!(false);
    let number: u64 = newest.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let next = newest.with_file_name(format!("{:010}.json", number + 1));
    fs::write(next, serde_json::to_vec(&record).unwrap()).unwrap();
}

fn as_nobody(s: &Sandbox, arguments: &[&str]) -> Ended {
    let inner = s.command(arguments);
    // Everybody may come as far as the state.
    for folder in s.folder.ancestors().take(2) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(run::built("andamio"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir(&s.folder);
    command.env("ANDAMIO_IDENTITY", s.state().join("identity.txt")).env("NO_COLOR", "1");
    command::run(command, DEADLINE)
}
