//! State in a bucket of an S3 server, the Linode emulator: what a folder promises holds there too, and what a bucket
//! can do wrong is told in one message. Proves point 5 of the closing list (one ledger of runs) and
//! the lock of E1 for a state that a team shares.

use crate::lock::races;
use crate::s3::{BUCKET, Conditions, Server};
use andamio_engine::{
    Bucket, Fault, Ledger, RunRecord, S3Config, StatePlace, Store, StoreError, Wrong,
};
use andamio_testkit::{
    Abandoned, Ended, Need, Running, Sandbox, Scenario, Steps, command, run, sandbox::DEADLINE,
};
use std::fs;
use std::process::Command;
use std::time::Duration;
use tokio::runtime::Runtime;

pub(crate) const SCENARIO: Scenario = Scenario { name: "bucket", need: Need::Nothing, run: all };

const PROJECT: &str = "[project]\nname = \"small\"\n[app]\nsource = \".\"\nsecrets = [\"KEY\"]\n\
    processes = { web = { command = [\"/hello\"], port = 80 } }\n[environments.dev]\napp = {}\n";

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let on = |conditions, work: &dyn Fn(&Runtime, &Server)| {
        work(&runtime, &Server::start(conditions));
    };
    steps.step("what is written is there, also more than one listing holds", || {
        on(Conditions::Kept, &|runtime, server| runtime.block_on(round_trip(server)));
    });
    steps.step("a creation whose answer is lost has happened once", || {
        let server = Server::with(&["--fault", &format!("lost:2:PUT:/s3/{BUCKET}/shop/notes")]);
        runtime.block_on(lost_answer(&server));
    });
    steps.step("a ledger without its newest entries is noticed", || {
        on(Conditions::Kept, &|runtime, server| runtime.block_on(short_ledger(server)));
    });
    for conditions in [Conditions::Ignored, Conditions::Racy] {
        let title = format!("a bucket whose condition is {conditions:?} is refused: exit 3");
        steps.step(&title, || {
            on(conditions, &|runtime, server| {
                runtime.block_on(refused(server));
                refused_command(server);
            });
        });
    }
    steps.step("a proof of another service says nothing", || {
        on(Conditions::Kept, &|runtime, good| {
            on(Conditions::Ignored, &|runtime_too, bad| {
                runtime.block_on(good.store().append("notes", b"{}".to_vec())).unwrap();
                copy(good, bad);
                runtime_too.block_on(refused(bad));
            });
        });
    });
    steps.step("of commands at once each is done, or told who is there: exit 4", rivals);
    steps.step("TLS is verified, and AWS_CA_BUNDLE names who is trusted", || tls(&runtime));
    steps.step("credentials that are missing or wrong: exit 6", credentials);
    steps.step("no such bucket, nobody there: exit 1, soon, nothing half written", away);
    steps.step("an endpoint that secrets must not go to: exit 64", endpoints);
    steps.step("1,000 races of four for the lock: one winner each", || {
        on(Conditions::Kept, &|runtime, server| runtime.block_on(races(&server.store())));
    });
    Ok(())
}

async fn round_trip(server: &Server) {
    let store = server.store();
    assert!(store.instances().await.unwrap().is_empty());
    let dev = store.instance("dev@local");
    assert!(dev.newest("notes").await.unwrap().is_none());
    assert!(dev.create("notes", 1, b"one".to_vec()).await.unwrap());
    assert!(!dev.create("notes", 1, b"other".to_vec()).await.unwrap());
    assert_eq!(dev.append("notes", b"two".to_vec()).await.unwrap(), 2);
    assert_eq!(dev.read("notes", 1).await.unwrap(), b"one");
    assert_eq!(dev.newest("notes").await.unwrap().unwrap(), (2, b"two".to_vec()));
    // Somebody else's eyes, and where it is.
    let other = server.store();
    assert_eq!(other.instance("dev@local").newest("notes").await.unwrap().unwrap().0, 2);
    assert_eq!(other.instances().await.unwrap(), ["dev@local"]);
    let kept = server.object("GET", "shop/dev.local/notes/0000000002.json", b"").unwrap();
    assert_eq!(kept, (200, b"two".to_vec()));
    // A listing has a thousand names a page.
    for batch in 0..11_u64 {
        let numbers = batch * 100 + 1..=batch * 100 + 100;
        let created = numbers.map(|number| {
            let dev = dev.clone();
            tokio::spawn(async move { dev.create("many", number, b"{}".to_vec()).await })
        });
        for created in created.collect::<Vec<_>>() {
            assert!(created.await.unwrap().unwrap());
        }
    }
    let numbers: Vec<u64> = (1..=1100).collect();
    assert_eq!(dev.numbers("many").await.unwrap(), numbers);
    dev.forget_below("many", 1099).await.unwrap();
    assert_eq!(dev.numbers("many").await.unwrap(), [1099, 1100]);
}

async fn lost_answer(server: &Server) {
    let store = server.store();
    store.append("notes", b"{}".to_vec()).await.unwrap();
    // The second write to these names, and its repetition.
    assert_eq!(store.append("notes", b"mine".to_vec()).await.unwrap(), 2);
    assert_eq!(store.numbers("notes").await.unwrap(), [1, 2]);
    // The fourth.
    assert!(server.object("PUT", "shop/notes/other", b"").is_none(), "nothing is lost here");
    assert_eq!(server.object("GET", "shop/notes/other", b"").unwrap().0, 200, "it was done");
    // Somebody else's creation is no lost answer of one's own.
    assert!(!store.create("notes", 2, b"mine".to_vec()).await.unwrap());
}

async fn short_ledger(server: &Server) {
    let ledger = Ledger::new(server.store().instance("dev@local"));
    for run in ["one", "two", "three"] {
        ledger.append(record(run)).await.unwrap();
    }
    assert_eq!(ledger.read(&|_, _| false).await.unwrap().entries.len(), 3);
    let newest = "shop/dev.local/ledger/0000000003.json";
    assert_eq!(server.object("DELETE", newest, b"").unwrap().0, 204);
    let faults = ledger.read(&|_, _| false).await.unwrap().faults;
    assert!(
        matches!(&faults[..], [Fault { first: 3, last: 3, wrong: Wrong::Missing }]),
        "{faults:?}"
    );
}

fn record(run: &str) -> RunRecord {
    RunRecord { run: run.to_owned(), ..RunRecord::begin("up", "dev", "local", "ana@here") }
}

async fn refused(server: &Server) {
    let store = server.store().instance("dev@local");
    let written = store.append("notes", b"{}".to_vec()).await;
    assert!(matches!(written, Err(StoreError::Unconditional { .. })), "{written:?}");
    assert!(store.numbers("notes").await.unwrap().is_empty(), "it was written all the same");
}

fn refused_command(server: &Server) {
    let project = Project::new();
    let ended = project.on(server, &["secret", "set", "dev", "KEY"], |_| {});
    told(&ended, 3, "conditional-create");
    assert!(server.names("p/dev.local").is_empty(), "{ended}");
}

/// Six people set a secret at the same moment.
fn rivals() {
    let server = Server::start(Conditions::Kept);
    let projects: Vec<Project> = (0..6).map(|_| Project::new()).collect();
    // The first makes the identity that the others have.
    let words = ["secret", "set", "dev", "KEY"];
    drop(projects[0].on(&server, &words, |_| {}).expect(0));
    let identity = projects[0].sandbox.folder.join(".andamio/identity.txt");
    let secrets = || server.names("p/dev.local/secrets/").len();
    let before = secrets();
    let line = "printf s3cret | \"$0\" secret set dev KEY";
    let rivals = projects.iter().map(|project| {
        let mut command = Command::new("sh");
        command.args(["-c", line]).arg(run::built("andamio"));
        project.prepare(&server, &mut command);
        command.env("ANDAMIO_IDENTITY", &identity);
        Running::start(command)
    });
    let rivals: Vec<Running> = rivals.collect();
    let ended: Vec<Ended> = rivals.into_iter().map(|rival| rival.end(DEADLINE)).collect();
    let done = ended.iter().filter(|e| e.code == Some(0)).count();
    for refused in ended.iter().filter(|e| e.code != Some(0)) {
        told(refused, 4, "locked");
    }
    // Each that was done is there, none twice.
    assert!(done > 0 && secrets() == before + done, "{done} done: {before} and {}", secrets());
}

/// All objects of one server become the other's.
fn copy(from: &Server, to: &Server) {
    for name in from.names("") {
        let (_, body) = from.object("GET", &name, b"").unwrap();
        assert_eq!(to.object("PUT", &name, &body).unwrap().0, 200, "{name}");
    }
}

fn tls(runtime: &Runtime) {
    let server = Server::start_tls();
    let project = Project::new();
    let words = ["history", "dev"];
    let ended = project.on(&server, &words, |_| {});
    told(&ended, 1, "state");
    assert!(ended.stderr.contains("certificate"), "{ended}");
    let trusting = |c: &mut Command| {
        c.env("AWS_CA_BUNDLE", server.certificate());
    };
    let ended = project.on(&server, &words, trusting).expect(0);
    assert!(ended.stdout.contains("No runs yet"), "{ended}");
    let nothing = project.sandbox.folder.join("empty.pem");
    fs::write(&nothing, "").unwrap();
    let ended = project.on(&server, &words, |c| {
        c.env("AWS_CA_BUNDLE", &nothing);
    });
    told(&ended, 6, "authorities");
    // The certificate is another host's.
    let access = S3Config {
        endpoint: Some(server.endpoint().replace("127.0.0.1", "localhost")),
        authorities: Some(server.certificate().to_owned()),
        ..server.access()
    };
    let store = Store::open(&StatePlace::Bucket(Bucket::new(BUCKET, "", access).unwrap())).unwrap();
    let read = runtime.block_on(store.instances()).unwrap_err().to_string();
    assert!(read.contains("certificate"), "{read}");
}

fn credentials() {
    let server = Server::start(Conditions::Kept);
    let project = Project::new();
    for (variable, value) in [
        ("AWS_ACCESS_KEY_ID", None),
        ("AWS_SECRET_ACCESS_KEY", None),
        ("AWS_ACCESS_KEY_ID", Some("AKIANOBODY")),
        ("AWS_SECRET_ACCESS_KEY", Some("not-the-secret")),
    ] {
        for words in [&["history", "dev"][..], &["secret", "set", "dev", "KEY"], &["key", "list"]] {
            let ended = project.on(&server, words, |command| {
                match value {
                    Some(value) => command.env(variable, value),
                    None => command.env_remove(variable),
                };
            });
            told(&ended, 6, "credentials");
            if value.is_none() {
                assert!(ended.stderr.contains(variable), "{ended}");
            }
        }
    }
    assert_eq!(server.names(""), [""; 0], "something was written");
    assert!(!project.sandbox.folder.join(".andamio").exists());
}

fn away() {
    let mut server = Server::start(Conditions::Kept);
    let project = Project::new();
    let words = ["secret", "set", "dev", "KEY"];
    let elsewhere = |c: &mut Command| {
        c.env("ANDAMIO_STATE", "s3://no-such-bucket");
    };
    let ended = project.on(&server, &words, elsewhere);
    told(&ended, 1, "state");
    assert!(ended.stderr.contains("NoSuchBucket"), "{ended}");
    let _ = project.on(&server, &words, |_| {}).expect(0);
    let before = server.names("");
    server.stop();
    for words in [&words[..], &["history", "dev"], &["key", "list"]] {
        let ended = project.on(&server, words, |_| {});
        told(&ended, 1, "state");
        assert!(
            ended.stderr.contains("refused") && ended.took < Duration::from_secs(10),
            "{ended}"
        );
    }
    server.start_again();
    assert!(before.iter().any(|name| name.starts_with("p/dev.local/secrets/")), "{before:?}");
    assert_eq!(server.names(""), before);
}

fn endpoints() {
    let server = Server::start(Conditions::Kept);
    let project = Project::new();
    for endpoint in ["http://s3.example", "s3.example", "https://ana:pass-word@s3.example"] {
        let ended = project.on(&server, &["history", "dev"], |c| {
            c.env("AWS_ENDPOINT_URL_S3", endpoint);
        });
        told(&ended, 64, "endpoint");
        assert!(!ended.stderr.contains("pass-word"), "{ended}");
    }
}

/// One message with a way out, in both forms, and no secret.
fn told(ended: &Ended, code: i32, error: &str) {
    assert_eq!(ended.code, Some(code), "{ended}");
    assert!(ended.stderr.contains(&format!("docs/errors.md#{error}")), "{ended}");
    assert_eq!(ended.stderr.matches("\n help: ").count(), 1, "{ended}");
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("not-the-secret"), "{ended}");
}

/// A project whose state is in a bucket.
struct Project {
    sandbox: Sandbox,
}

impl Project {
    fn new() -> Self {
        Self { sandbox: Sandbox::new(PROJECT) }
    }

    fn prepare(&self, server: &Server, command: &mut Command) {
        command.current_dir(&self.sandbox.folder).env("NO_COLOR", "1");
        for variable in ["ANDAMIO_FILE", "ANDAMIO_ON", "ANDAMIO_IDENTITY"] {
            command.env_remove(variable);
        }
        command.env("ANDAMIO_STATE", format!("s3://{BUCKET}/p"));
        server.set(command);
    }

    fn on(&self, server: &Server, words: &[&str], change: impl Fn(&mut Command)) -> Ended {
        let mut command = Command::new(run::built("andamio"));
        command.args(words);
        self.prepare(server, &mut command);
        change(&mut command);
        // The value of a secret comes from standard input.
        let ended = command::run_with(command, "s3cret", DEADLINE);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!said.contains(server.secret()), "it tells the bucket's key: {ended}");
        ended
    }
}
