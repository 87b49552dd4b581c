//! A project's first minutes and its second member: `init` in a repository of ten lines leads to a
//! plan, and two checkouts with an identity each work on one state. Proves points 6 and 9 of the
//! spine: keys, recovery, first run.

use crate::s3::{BUCKET, Conditions, Server};
use andamio_testkit::{
    Abandoned, Ended, Need, Sandbox, Scenario, Steps, command, run, sandbox::DEADLINE,
};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) const SCENARIO: Scenario = Scenario { name: "team", need: Need::Machines, run: all };

const CONTAINERFILE: &str =
    "FROM scratch\nCOPY hello /hello\nEXPOSE 8080\nENTRYPOINT [\"/hello\"]\n";
const COMPOSE: &str = "services:\n  web:\n    build: .\n  db:\n    image: mariadb:11\n";

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    steps.step("init in a repository of ten lines, check, plan", first_minutes);
    steps.step("init in an empty folder, and again: exit 3", empty_folder);
    steps.step("two checkouts with an identity each on one state", || {
        let sandbox = Sandbox::new("");
        let on = |name| checkout(&sandbox, name, &small(""));
        two_checkouts(&on("ana"), &on("bo"));
        assert!(!sandbox.state().join("identity.txt").exists());
    });
    steps.step("two checkouts with an identity each on one bucket", || {
        let (sandbox, server) = (Sandbox::new(""), Server::start(Conditions::Kept));
        let key = format!("state = \"s3://{BUCKET}/small\"\n");
        let on = |name| {
            let mut one = checkout(&sandbox, name, &small(&key));
            one.server = Some(&server);
            one
        };
        two_checkouts(&on("ana"), &on("bo"));
        assert_eq!(server.names("small/dev.local/secrets/0000000001.json").len(), 1);
        assert!(!sandbox.state().exists(), "there is a folder too");
    });
    steps.step("manual pages of every verb that is shown", manual);
    Ok(())
}

/// A checkout of its own: a folder with its identity; the state is shared.
struct Checkout<'s> {
    folder: PathBuf,
    state: PathBuf,
    /// Has the state in the place of the folder; andamio.toml says so.
    server: Option<&'s Server>,
}

impl Checkout<'_> {
    fn run(&self, words: &[&str]) -> Ended {
        let mut command = self.command();
        command.args(words);
        command::run(command, DEADLINE)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(run::built("andamio"));
        command.current_dir(&self.folder).env("NO_COLOR", "1");
        match self.server {
            Some(server) => server.set(&mut command),
            None => {
                command.arg("--state").arg(&self.state);
            }
        }
        for variable in ["ANDAMIO_FILE", "ANDAMIO_ON", "ANDAMIO_STATE", "ANDAMIO_IDENTITY"] {
            command.env_remove(variable);
        }
        command
    }

    fn set(&self, name: &str, value: &str) {
        let mut command = self.command();
        command.args(["secret", "set", "dev", name]).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn file(&self) -> String {
        fs::read_to_string(self.folder.join("andamio.toml")).unwrap()
    }
}

impl Drop for Checkout<'_> {
    /// A secret that was set has claimed a network.
    fn drop(&mut self) {
        if self.state.exists() && !run::keep() {
            drop(self.run(&["down", "dev", "-y"]));
        }
    }
}

/// Checkouts below one folder that is removed with the sandbox.
fn checkout<'s>(sandbox: &Sandbox, name: &str, files: &[(&str, impl AsRef<[u8]>)]) -> Checkout<'s> {
    let folder = sandbox.folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("andamio.toml").display().to_string();
    let state = sandbox.state().display().to_string();
    let program = run::built("andamio").display().to_string();
    let down = [&program, "-f", &file, "--state", &state, "down", "dev", "-y"];
    run::note_instance(&sandbox.id("dev"), &down.map(str::to_owned));
    for (file, text) in files {
        fs::write(folder.join(file), text).unwrap();
    }
    Checkout { folder, state: sandbox.state(), server: None }
}

fn first_minutes() {
    let sandbox = Sandbox::new("");
    let mine = checkout(
        &sandbox,
        "Hello World",
        &[("Containerfile", CONTAINERFILE), ("compose.yaml", COMPOSE), ("hello", "a binary")],
    );
    let ended = mine.run(&["init"]).expect(0);
    assert_eq!(ended.stdout.matches("AGE-SECRET-KEY-").count(), 1, "{ended}");
    assert!(ended.stdout.contains("andamio up dev") && ended.stdout.contains("mariadb"), "{ended}");
    let identity = mine.folder.join(".andamio/identity.txt");
    assert_eq!(fs::metadata(&identity).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(mine.folder.join(".gitignore")).unwrap(), ".andamio/\n");
    let recovery = ended.stdout.lines().find(|l| l.contains("AGE-SECRET-KEY-")).unwrap().trim();
    assert!(!kept(&mine.folder, recovery), "the recovery key is kept somewhere");

    let check = mine.run(&["check", "--json"]).expect(0).json();
    assert!(check["findings"].as_array().unwrap().is_empty(), "{check}");
    let plan = mine.run(&["plan", "dev", "--json"]).expect(0).json();
    let machines: Vec<_> =
        plan["machines"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(machines, ["mariadb-1", "app-1"], "{plan}");
    // The recovery key reads what the identity wrote.
    fs::write(mine.folder.join("andamio.toml"), mine.file().replace("# secrets =", "secrets ="))
        .unwrap();
    mine.set("SESSION_KEY", "s3cret");
    fs::write(&identity, format!("{recovery}\n")).unwrap();
    assert_eq!(mine.run(&["secret", "list", "dev"]).expect(0).stdout.trim(), "SESSION_KEY");
}

/// Does a file below the folder hold this text?
fn kept(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| {
        if entry.file_type().unwrap().is_dir() {
            return kept(&entry.path(), text);
        }
        fs::read(entry.path()).is_ok_and(|b| String::from_utf8_lossy(&b).contains(text))
    })
}

fn empty_folder() {
    let sandbox = Sandbox::new("");
    let mine = checkout(&sandbox, "empty", &[("README", "nothing yet")]);
    let made = mine.run(&["init", "--json"]).expect(0).json();
    assert!(made["recovery"]["private"].as_str().unwrap().starts_with("AGE-SECRET-KEY-"));
    assert_eq!(made["type"], "result");
    let _ = mine.run(&["check"]).expect(0);
    let before = mine.file();
    for words in [&["init"][..], &["init", "-y"], &["init", "--json"]] {
        let ended = mine.run(words).expect(3);
        assert_eq!(mine.file(), before, "{ended}");
    }
    let ended = mine.run(&["plan", "dev"]).expect(1);
    assert!(ended.stderr.contains("docs/errors.md#"), "{ended}");
}

/// A project of ten lines, with another line below [project].
fn small(project: &str) -> [(&'static str, String); 3] {
    let file = format!(
        "[project]\nname = \"small\" # ours\n{project}[app]\nsource = \".\"\nsecrets = [\"KEY\"]\n\
         processes = {{ web = {{ command = [\"/hello\"], port = 80 }} }}\n[environments.dev]\napp = {{}}\n"
    );
    [("andamio.toml", file), ("Containerfile", CONTAINERFILE.to_owned()), ("hello", "x".to_owned())]
}

fn two_checkouts(ana: &Checkout<'_>, bo: &Checkout<'_>) {
    // Nobody ran `init`: the first secret makes the first identity, in the checkout and not in the
    // state that is shared.
    ana.set("KEY", "one");
    assert!(ana.folder.join(".andamio/identity.txt").exists());
    let ended = bo.run(&["secret", "list", "dev"]).expect(6);
    assert!(ended.stderr.contains("andamio init") && ended.stderr.contains("#identity"), "{ended}");

    let made = bo.run(&["init", "--json"]).expect(0).json();
    let key = made["identity"]["public"].as_str().unwrap();
    let ended = bo.run(&["plan", "dev"]).expect(6);
    assert!(ended.stderr.contains("key add"), "{ended}");
    let shown = bo.run(&["key", "show", "--json"]).expect(0).json();
    assert!(shown["age"] == key && shown["ssh"].as_str().unwrap().starts_with("ssh-ed25519 "));
    let ended = ana.run(&["key", "add", key, "--name", "Bo"]).expect(0);
    assert!(ended.stdout.contains("dev@local"), "{ended}");
    assert!(ana.file().contains("name = \"small\" # ours\n") && ana.file().contains("# Bo\n"));
    assert_eq!(bo.run(&["secret", "list", "dev"]).expect(0).stdout.trim(), "KEY");
    let _ = bo.run(&["plan", "dev"]).expect(0);

    // Bo's andamio.toml does not know Ana: what he writes she still reads.
    bo.set("KEY", "two");
    let _ = ana.run(&["plan", "dev"]).expect(0);
    let ended = ana.run(&["key", "remove", "Bo"]).expect(0);
    assert!(ended.stdout.contains("andamio secret set dev@local KEY"), "{ended}");
    let _ = bo.run(&["plan", "dev"]).expect(6);
    // Each has signed what they did, and who was removed then stays believed of before.
    let history = ana.run(&["history", "dev", "--json"]).expect(0).json();
    let runs = history["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 4, "{history}");
    assert!(runs.iter().all(|run| run["signature"] == "good"), "{history}");
    let listed = ana.run(&["key", "list", "--json"]).expect(0).json();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 1, "{listed}");
    let me = listed["you"][0].as_str().unwrap();
    let _ = ana.run(&["key", "remove", me, "-y"]).expect(3);
}

fn manual() {
    let sandbox = Sandbox::new("");
    let pages = sandbox.folder.join("man");
    let _ = sandbox.ok(&["man", "--out", pages.to_str().unwrap()]);
    for name in ["andamio", "andamio-up", "andamio-key-add", "andamio-secret-set"] {
        let page = fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains("Examples") || name == "andamio-secret-set", "{page}");
    }
    assert!(!pages.join("andamio-node.1").exists());
}
