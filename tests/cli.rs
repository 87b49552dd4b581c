//! The command line before any machine is there: broken files, bad arguments, unknown names and
//! missing rights end with the documented status, say what to do, and touch nothing; answers in JSON
//! are what the contract says; help and completions are what the reference shows. Proves the
//! contract's exit statuses and points 3 and 4 of E1's acceptance; K5 and W2 as far as the file.

use andamio_testkit::{
    Abandoned, Ended, Need, Sandbox, Scenario, Steps, command, run, sandbox::DEADLINE,
};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

pub(crate) const SCENARIO: Scenario = Scenario { name: "cli", need: Need::Nothing, run: all };

const GOOD: &str =
    "[project]\nname = \"small\"\n[environments.one]\nredis = { machines = 1, size = \"1x1\" }\n";
const VERBS: &[&str] = &[
    "init",
    "check",
    "plan",
    "up",
    "down",
    "status",
    "logs",
    "ssh",
    "exec",
    "run",
    "db",
    "history",
    "state",
    "unlock",
    "cost",
    "drill",
    "load",
    "secret",
    "key",
    "completions",
];

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    for broken in BROKEN {
        steps.step(
            &format!("{}: a finding with its place and a remedy, exit 5", broken.what),
            || {
                finding(broken);
            },
        );
    }
    steps.step("what is no andamio.toml at all: exit 5", no_file);
    for (words, says) in BAD_ARGUMENTS {
        steps.step(&format!("`{}`: exit 64", words.join(" ")), || bad_arguments(words, says));
    }
    for (words, code, says) in UNKNOWN {
        steps.step(&format!("`{}`: exit {code}, with a way out", words.join(" ")), || {
            let sandbox = Sandbox::new(GOOD);
            let ended = untouched(&sandbox, words).expect(*code);
            assert!(ended.stderr.contains(says), "expected `{says}`: {ended}");
        });
    }
    steps.step("a state that this version cannot keep: exit 64, with a way out", || {
        for url in ["gs://bucket", "s3://", "s3://Shop", "file://state", "s3://ana:secret@shop"] {
            let sandbox = Sandbox::new(GOOD);
            let mut command = Command::new(run::built("andamio"));
            command.args(["up", "one"]).current_dir(&sandbox.folder).env("ANDAMIO_STATE", url);
            let ended = command::run(command, DEADLINE).expect(64);
            assert!(ended.stderr.contains("--state"), "{ended}");
            assert!(!ended.stderr.contains("secret"), "{ended}");
        }
    });
    steps.step("reading verbs touch nothing", || {
        let sandbox = Sandbox::new(GOOD);
        for words in [
            &["check"][..],
            &["plan", "one"],
            &["status", "one"],
            &["history", "one"],
            &["cost"],
            &["unlock", "one"],
            &["key", "list"],
        ] {
            drop(untouched(&sandbox, words));
        }
    });
    for (words, code, kind) in DOCUMENTS {
        steps.step(&format!("`{} --json`: one document of type {kind}", words.join(" ")), || {
            let sandbox = Sandbox::new(GOOD);
            let mut words = words.to_vec();
            words.push("--json");
            let document = sandbox.run(&words).expect(*code).json();
            assert_eq!(document["type"], *kind, "{document}");
        });
    }
    steps.step("help of every verb is what the reference shows", help);
    steps.step("completions of bash complete", completions);
    if run::is_root() {
        steps.step("without root: exit 6 names it, nothing is touched", || without_root(false));
        steps.step("without root, in a folder of one's own: the same", || without_root(true));
    } else {
        steps.skip("without root", "this is not root, so it cannot become somebody else");
    }
    Ok(())
}

struct Broken {
    what: &'static str,
    toml: &'static str,
    code: &'static str,
    /// Line and column of the finding.
    at: (u64, u64),
}

const BROKEN: &[Broken] = &[
    Broken {
        what: "a typo in a key",
        toml: "[project]\nname = \"small\"\n[environments.one]\nredis = { machnes = 1 }\n",
        code: "unknown-key",
        at: (4, 11),
    },
    Broken {
        what: "a wrong size",
        toml: "[project]\nname = \"small\"\n[environments.one]\nredis = { machines = 1, size = \"2by4\" }\n",
        code: "invalid-size",
        at: (4, 32),
    },
    Broken {
        what: "an address range given twice",
        toml: "[project]\nname = \"small\"\n[environments.one]\nredis = { machines = 1 }\nnetwork = \"198.18.40.0/24\"\n\
               [environments.two]\nredis = { machines = 1 }\nnetwork = \"198.18.40.0/24\"\n",
        code: "duplicate-network",
        at: (8, 11),
    },
    Broken {
        what: "an unknown service",
        toml: "[project]\nname = \"small\"\n[environments.one]\nreddis = { machines = 1 }\n",
        code: "unknown-service",
        at: (4, 1),
    },
    Broken {
        what: "a limit below the declared machines",
        toml: "[project]\nname = \"small\"\n[environments.one]\nredis = { machines = 3 }\nlimits = { machines = 2 }\n",
        code: "limit-machines",
        at: (5, 23),
    },
    Broken {
        what: "a syntax error",
        toml: "[project]\nname = \"small\n",
        code: "syntax",
        at: (2, 8),
    },
];

fn finding(broken: &Broken) {
    let sandbox = Sandbox::new(broken.toml);
    let document = untouched(&sandbox, &["check", "--json"]).expect(5).json();
    assert_eq!(document["ok"], false);
    let findings = document["findings"].as_array().unwrap();
    let found = findings.iter().find(|f| f["code"] == broken.code);
    let found = found.unwrap_or_else(|| panic!("no finding {}: {document}", broken.code));
    let at = (found["line"].as_u64().unwrap(), found["column"].as_u64().unwrap());
    assert_eq!(at, broken.at, "{found}");
    assert!(found["help"].as_str().is_some_and(|h| !h.is_empty()), "no help: {found}");
    assert_eq!(found["severity"], "error", "{found}");
    // People read the same; every verb that needs the file stops at it.
    let (line, column) = broken.at;
    for words in [
        &["check"][..],
        &["plan", "one"],
        &["up", "one"],
        &["down", "one", "-y"],
        &["status", "one"],
    ] {
        let ended = untouched(&sandbox, words).expect(5);
        let says = format!("{}{}", ended.stdout, ended.stderr);
        assert!(says.contains(&format!("{line}:{column}")) && says.contains("help:"), "{ended}");
    }
}

fn no_file() {
    let sandbox = Sandbox::new(GOOD);
    for content in [&b""[..], b"\xff\xfe", b"\0\0\0", &[b'#'; (1 << 20) + 2][..]] {
        fs::write(sandbox.folder.join("andamio.toml"), content).unwrap();
        let ended = untouched(&sandbox, &["up", "one"]).expect(5);
        assert!(ended.stderr.contains("help:"), "{ended}");
    }
    fs::remove_file(sandbox.folder.join("andamio.toml")).unwrap();
    let _ = untouched(&sandbox, &["check"]).expect(5);
    std::os::unix::fs::symlink("andamio.toml", sandbox.folder.join("andamio.toml")).unwrap();
    let _ = untouched(&sandbox, &["check"]).expect(5);
}

/// Arguments, and what the complaint has to mention.
const BAD_ARGUMENTS: &[(&[&str], &str)] = &[
    (&[], "Usage"),
    (&["vanish"], "vanish"),
    (&["check", "one"], "one"),
    (&["plan"], "<ENV>"),
    (&["plan", "one", "--bogus"], "--bogus"),
    (&["up"], "<ENV>"),
    (&["up", "one", "--plan", "x", "--limit", "redis-1"], "--limit"),
    (&["up", "one", "--plan", "nowhere.json"], "nowhere.json"),
    (&["up", "one", "--limit"], "--limit"),
    (&["down"], "<ENV>"),
    (&["down", "one", "two"], "two"),
    (&["status"], "<ENV>"),
    (&["logs", "one", "-n", "many"], "many"),
    (&["ssh", "one"], "<MACHINE>"),
    (&["exec", "one", "redis-1"], "<COMMAND>"),
    (&["run", "one"], "<COMMAND>"),
    (&["db"], "<ENV>"),
    (&["history", "one", "-n", "-1"], "-1"),
    (&["unlock"], "<ENV>"),
    (&["cost", "one", "two"], "two"),
    (&["secret"], "Usage"),
    (&["secret", "set", "one"], "<NAME>"),
    (&["key"], "Usage"),
    (&["key", "add"], "<KEY>"),
    (&["key", "add", "age1short"], "ssh-ed25519"),
    (&["key", "remove", "nobody"], "key list"),
    (&["init", "here"], "here"),
    (&["completions", "tcsh"], "tcsh"),
    (&["-v", "-q", "check"], "--quiet"),
    (&["--on", "linode", "plan", "one@local"], "disagree"),
];

fn bad_arguments(words: &[&str], says: &str) {
    let ended = untouched(&Sandbox::new(GOOD), words).expect(64);
    assert!(ended.stderr.contains(says), "expected `{says}`: {ended}");
}

/// Names that are not there: arguments, status, and the way out that it shows.
const UNKNOWN: &[(&[&str], i32, &str)] = &[
    (&["up", "oen"], 64, "did you mean `one`"),
    (&["plan", "oen"], 64, "did you mean `one`"),
    (&["down", "oen", "-y"], 64, "did you mean `one`"),
    (&["cost", "oen"], 64, "one"),
    (&["up", "one", "--limit", "redis-9"], 64, "redis-1"),
    (&["exec", "one", "redsi-1", "--", "true"], 64, "did you mean `redis-1`"),
    (&["logs", "one", "--machine", "redsi-1"], 64, "did you mean `redis-1`"),
    (&["logs", "one", "--since", "soon"], 64, "10 min ago"),
    (&["logs", "one", "--until", "25:00"], 64, "1769860800"),
    (&["logs", "one", "--since", "1h", "--until", "2h"], 64, "later than --until"),
    (&["logs", "one", "--level", "loud"], 64, "warning"),
    (&["logs", "one", "--process", "web"], 64, "there is none"),
    (&["logs", "-f", "other.toml"], 64, "--file FILE"),
    (&["logs", "one"], 1, "andamio up one"),
    (&["plan", "one@mars"], 64, "no place `mars`"),
    (&["--on", "linode", "up", "one"], 64, "--on local"),
    (&["ssh", "one", "redis-1", "--", "true"], 1, "andamio up one"),
    (&["run", "one", "--", "true"], 1, "andamio up one"),
    (&["db", "one"], 3, "mariadb"),
    (&["secret", "set", "one", "NOT_DECLARED"], 64, "secret"),
];

const DOCUMENTS: &[(&[&str], i32, &str)] = &[
    (&["check"], 0, "check"),
    (&["check", "--explain"], 0, "check"),
    (&["plan", "one"], 0, "plan"),
    (&["plan", "one", "--exit-code"], 2, "plan"),
    (&["status", "one"], 7, "status"),
    (&["history", "one"], 0, "history"),
    (&["cost", "one"], 0, "cost"),
    (&["cost"], 0, "costs"),
    (&["secret", "list", "one"], 0, "secrets"),
    (&["key", "list"], 0, "keys"),
    (&["key", "remove", "nobody"], 64, "result"),
    (&["unlock", "one", "-y"], 0, "unlock"),
    (&["down", "one", "-y"], 0, "result"),
    (&["up", "oen"], 64, "result"),
];

/// Runs a verb and compares the project's folder and the host before and after.
fn untouched(sandbox: &Sandbox, words: &[&str]) -> Ended {
    let before = listing(&sandbox.folder);
    // Verbs that read standard input get a line.
    let ended = command::run_with(sandbox.command(words), "value\n", DEADLINE);
    assert_eq!(before, listing(&sandbox.folder), "files were made: {ended}");
    let left = sandbox.leftovers("one");
    assert!(left.is_empty(), "{left:?} after {ended}");
    ended
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        names.push(entry.path().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            names.extend(listing(&entry.path()));
        }
    }
    names.sort();
    names
}

fn help() {
    let mut pages = vec![vec!["--help"]];
    pages.extend(VERBS.iter().map(|verb| vec![*verb, "--help"]));
    pages.extend(["set", "list", "rm"].iter().map(|what| vec!["secret", what, "--help"]));
    pages.extend(["add", "remove", "list"].iter().map(|what| vec!["key", what, "--help"]));
    pages.extend(["show", "adopt", "fork"].iter().map(|what| vec!["state", what, "--help"]));
    let sandbox = Sandbox::new(GOOD);
    let mut reference = String::new();
    for words in &pages {
        let ended = sandbox.ok(words);
        reference.push_str(&format!("$ andamio {}\n{}\n", words.join(" "), ended.stdout));
        if let [verb, _] = words.as_slice() {
            let examples = ended.stdout.contains("Examples:") || *verb == "secret";
            assert!(examples, "no example in the help of {verb}");
        }
    }
    // A verb that is new has to come into the list above.
    let top = reference.split("Options:").next().unwrap();
    let listed = top.lines().filter_map(|l| l.strip_prefix("  ")?.split_whitespace().next());
    for verb in listed {
        assert!(VERBS.contains(&verb), "`{verb}` is not in this scenario's list of verbs");
    }
    // Of this checkout, wherever it was compiled.
    let folder = andamio_testkit::run::checkout().join("tests/snapshots");
    insta::with_settings!({
        snapshot_path => folder, prepend_module_to_snapshot => false, omit_expression => true
    }, {
        insta::assert_snapshot!("reference", reference);
    });
}

/// A shell that asks for the word after `andamio statu` gets `status`.
fn completions() {
    let sandbox = Sandbox::new(GOOD);
    let script = sandbox.folder.join("completions");
    fs::write(&script, sandbox.ok(&["completions", "bash"]).stdout).unwrap();
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(format!(
        "source {}; COMP_WORDS=(andamio statu); COMP_CWORD=1; _andamio andamio statu andamio; echo \"${{COMPREPLY[@]}}\"",
        script.display()
    ));
    let ended = command::run(bash, DEADLINE).expect(0);
    assert_eq!(ended.stdout.trim(), "status", "{ended}");
    for shell in ["elvish", "fish", "powershell", "zsh"] {
        let text = sandbox.ok(&["completions", shell]).stdout;
        assert!(text.contains("exit-code"), "{shell}: {text}");
    }
}

const NOBODY: u32 = 65534;

fn without_root(own: bool) {
    let sandbox = Sandbox::new(GOOD);
    // Somebody else has to get at the program and the file, wherever they were built.
    for folder in sandbox.folder.ancestors().take(2) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let program = sandbox.folder.join("andamio");
    fs::copy(run::built("andamio"), &program).unwrap();
    if own {
        chown(&sandbox.folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let before = listing(&sandbox.folder);
    let mut command = Command::new("setpriv");
    let nobody = NOBODY.to_string();
    command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]).arg(&program);
    command.args(["up", "one"]).current_dir(&sandbox.folder);
    let ended = command::run(command, DEADLINE).expect(6);
    assert!(ended.stderr.contains("root") && ended.stderr.contains("help:"), "{ended}");
    assert_eq!(before, listing(&sandbox.folder), "files were made: {ended}");
}
