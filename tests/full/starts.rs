//! Processes that start in many ways, and that do not: each runs, or is given up as soon as it is clear, with
//! what it comes from in the error. One machine, one image with one small program.

use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps};
use std::fs;
use std::process::Command;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "starts", need: Need::Machines, run: all };

/// What `case.c` does, and what an error has to say of it; empty for one that runs.
struct Case(&'static str, &'static [&'static str]);

const RUN: &[Case] = &[
    Case("204", &[]),
    // HTTP/1.0, closing.
    Case("old", &[]),
    // A body without an end on a connection that stays.
    Case("open", &[]),
    // Headers that come over two seconds.
    Case("drips", &[]),
    // Fifteen seconds before it listens.
    Case("slow", &[]),
];
const FAIL: &[Case] = &[
    Case("loopback", &["it listens on 127.0.0.1:", "let it listen on 0.0.0.0"]),
    Case("elsewhere", &["it listens on port 9", "is declared"]),
    Case("six", &["it listens on [::]:", "which is IPv6"]),
    Case("401", &["answers 401 to /login, not 2xx"]),
    Case("301", &["answers 301 to /login, not 2xx"]),
    Case("crashes", &["it ended with status 1", "the variable SHOP_TOKEN is missing"]),
    Case("hog", &["it was killed because its memory was used up"]),
];
/// The command, and what the error says: these end before they are started.
const COMMANDS: &[(&[&str], &[&str])] = &[
    (&["/nope"], &["no such command (status 127)", "the image has no command `/nope`"]),
    (&["/plain"], &["(status 126)", "not executable"]),
    (&["/script"], &["exec format error"]),
    (&["/case", "ends"], &["it ended by itself with status 0", "this is ends"]),
    (&["/case", "writes"], &["it writes to `/srv/cache.pid`", "which is read-only"]),
];

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = project();
    let s = &sandbox;
    steps.must(
        "204, HTTP/1.0, bodies without an end, slow headers and 15 s of start are ready",
        || {
            s.rewrite(&toml(RUN));
            drop(s.ok(&["up", "one", "-y"]));
        },
    )?;
    steps.step(
        "what does not start is given up at once, and each cause is named in one error",
        || {
            let said = fails(s, &toml(FAIL), Duration::from_secs(60));
            for case in FAIL {
                let name = format!("probe:{} ", name(case.0));
                let own: Vec<&str> = said
                    .split("probe:")
                    .filter(|part| format!("probe:{part}").starts_with(&name))
                    .collect();
                assert_eq!(own.len(), 1, "{name}in {said}");
                for words in case.1 {
                    assert!(own[0].contains(words), "{name}does not say {words}: {}", own[0]);
                }
            }
        },
    );
    steps.step("no such command, not executable, a script without `#!`, an end at once, a read-only folder", || {
        for (command, words) in COMMANDS {
            let text = toml(&[]) + &format!("web = {{ command = {command:?}, port = 8080 }}\n");
            let said = fails(s, &text, Duration::from_secs(20));
            assert!(words.iter().all(|words| said.contains(words)), "{command:?}: {said}");
        }
    });
    steps.must("down leaves nothing", || {
        drop(s.ok(&["down", "one", "-y"]));
        assert!(s.leftovers("one").is_empty(), "{:?}", s.leftovers("one"));
    })
}

fn project() -> Sandbox {
    let sandbox = Sandbox::new(&toml(&[]));
    let app = sandbox.folder.join("app");
    fs::create_dir(&app).unwrap();
    fs::write(app.join("case.c"), include_str!("starts/case.c")).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-static", "-O1", "-s", "-o", "case", "case.c"]).current_dir(&app);
    assert!(cc.status().unwrap().success());
    fs::remove_file(app.join("case.c")).unwrap();
    fs::write(app.join("plain"), "echo\n").unwrap();
    let file = "FROM scratch\nCOPY case /case\nCOPY --chmod=0644 plain /plain\nCOPY --chmod=0755 plain /script\n";
    fs::write(app.join("Containerfile"), file).unwrap();
    sandbox
}

/// A project with these cases as its processes, each on a port of its own.
fn toml(cases: &[Case]) -> String {
    let mut text = "[project]\nname = \"starts\"\n[environments.one]\ntls = \"off\"\n\
        app = { machines = 1, size = \"1x1\" }\n[app]\nsource = \"app\"\nready = \"/up\"\nwritable = false\n[app.processes]\n"
        .to_owned();
    for (port, Case(mode, _)) in (8100..).zip(cases) {
        let name = name(mode);
        text.push_str(&format!(
            "{name} = {{ command = [\"/case\", \"{mode}\"], port = {port} }}\n"
        ));
    }
    text
}

fn name(mode: &str) -> String {
    format!("p{mode}")
}

/// `up` fails within that time; its message.
fn fails(s: &Sandbox, toml: &str, within: Duration) -> String {
    s.rewrite(toml);
    let ended = s.run(&["up", "one", "-y", "--json"]).expect(1);
    assert!(ended.took < within, "{:?}: {ended}", ended.took);
    let last = ended.lines().pop().unwrap();
    assert_eq!(last["error"]["code"], "converge", "{last}");
    last["error"]["message"].as_str().unwrap().to_owned()
}
