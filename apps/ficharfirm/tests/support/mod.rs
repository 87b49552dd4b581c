//! A web process and a worker of their own for each test, on the servers that the environment names.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ficharfirm");
const PATIENCE: Duration = Duration::from_secs(20);

const SERVERS: [&str; 3] =
    ["FICHARFIRM_TEST_DATABASE", "FICHARFIRM_TEST_REDIS", "FICHARFIRM_TEST_AMQP"];

pub(crate) type Test = fn(&Site);

/// Runs the tests one after the other and prints what cargo's own harness would, which cannot skip: without
/// servers every test counts as ignored. An argument selects the tests whose names contain it.
pub(crate) fn main(tests: &[(&str, Test)]) -> ExitCode {
    let wanted = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    let missing: Vec<_> = SERVERS.into_iter().filter(|s| std::env::var_os(s).is_none()).collect();
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for (name, test) in tests.iter().filter(|(name, _)| name.contains(&wanted)) {
        if !missing.is_empty() {
            println!("test {name} ... ignored, not set: {}", missing.join(" "));
            ignored += 1;
        } else if std::panic::catch_unwind(|| test(&Site::start())).is_ok() {
            println!("test {name} ... ok");
            passed += 1;
        } else {
            println!("test {name} ... FAILED");
            failed += 1;
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

pub(crate) struct Account {
    pub(crate) employee: String,
    pub(crate) token: String,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

pub(crate) struct Site {
    environment: Vec<(&'static str, String)>,
    port: u16,
    processes: Vec<Child>,
}

impl Site {
    /// Only to be called where all of [`SERVERS`] are set.
    pub(crate) fn start() -> Self {
        let [database, redis, amqp] = SERVERS.map(|name| std::env::var(name).unwrap());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut site = Self {
            environment: vec![
                ("DATABASE_URL", database),
                ("REDIS_URL", redis),
                ("AMQP_URL", amqp),
                ("SESSION_KEY", "a key for tests, the same in all".into()),
                ("PORT", port.to_string()),
                ("EXPORTS", "/nowhere".into()),
                // Each test is an address of its own: failures of one don't limit the others.
                ("TRUSTED_PROXIES", "127.0.0.0/8".into()),
                ("DRAIN_SECONDS", "0".into()),
            ],
            port,
            processes: Vec::new(),
        };
        site.run(&["migrate", "up"]);
        for role in ["web", "worker"] {
            let child = site.command(&[role]).stdout(Stdio::null()).spawn().unwrap();
            site.processes.push(child);
        }
        site.until("it is ready", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
                && site.get("/readyz", None).status == 200
        });
        site
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env_clear().envs(self.environment.iter().cloned());
        command
    }

    /// Runs a command that must succeed; its stdout.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// How many breaks there are.
    pub(crate) fn verify(&self) -> u64 {
        let output = self.command(&["verify", "--json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["breaks"].as_u64().unwrap()
    }

    pub(crate) fn account(&self) -> Account {
        let line = self.run(&["seed", "--employees", "1"]);
        let account: Value = serde_json::from_str(&line).unwrap();
        let answer = self.post("/api/v1/sessions", None, &account);
        assert_eq!(answer.status, 201, "{}", answer.body);
        Account {
            employee: account["employee"].as_str().unwrap().into(),
            token: answer.body["token"].as_str().unwrap().into(),
        }
    }

    pub(crate) fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < end, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send("GET", path, token, "")
    }

    pub(crate) fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        self.send("POST", path, token, &body.to_string())
    }

    fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let bearer = token.map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{bearer}X-Forwarded-For: \
             192.0.{}.{}\r\nContent-Length: {}\r\n\r\n{body}",
            self.port / 256,
            self.port % 256,
            body.len()
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or_else(|_| json!(text)) }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for child in &mut self.processes {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The month of an acknowledged punch.
pub(crate) fn month(acknowledgement: &Value) -> String {
    acknowledgement["recorded_at"].as_str().unwrap()[..7].into()
}
