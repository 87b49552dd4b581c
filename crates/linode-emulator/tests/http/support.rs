//! The program with a state of its own, on a port that the kernel picks, and as much of HTTP as it
//! takes to talk to it.

use serde_json::Value;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) struct Emulator {
    child: Child,
    address: String,
    pub(crate) state: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Value,
}

impl Emulator {
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::on(TempDir::new().unwrap(), options)
    }

    /// With this state, which may be another one's that is gone.
    pub(crate) fn on(state: TempDir, options: &[&str]) -> Self {
        let mut child = command(state.path(), options).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("it said {line:?}")).to_owned();
        Self { child, address, state }
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// As pulling the plug on it.
    pub(crate) fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.state, TempDir::new().unwrap())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "", None)
    }

    pub(crate) fn filtered(&self, path: &str, filter: &str) -> Answer {
        self.call("GET", path, &format!("X-Filter: {filter}\r\n"), None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, "", Some(body))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, "", Some(body))
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, "", None)
    }

    fn call(&self, method: &str, path: &str, headers: &str, body: Option<&Value>) -> Answer {
        let headers = format!("Authorization: Bearer x\r\n{headers}");
        let asked = ask(&self.address, method, path, &headers, body);
        asked.unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// An id out of a 200.
    pub(crate) fn made(&self, path: &str, body: &Value) -> u64 {
        let answer = self.post(path, body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body["id"].as_u64().unwrap()
    }

    pub(crate) fn until(&self, what: &str, path: &str, look: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self.get(path);
            if look(&answer.body) {
                return answer.body;
            }
            assert!(Instant::now() < end, "waited 60 s for {what}: {}", answer.body);
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn status(&self, instance: u64, wanted: &str) -> Value {
        let path = format!("/linode/instances/{instance}");
        self.until(wanted, &path, |body| body["status"] == wanted)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn command(state: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linode-emulator"));
    command.args(["--listen", "127.0.0.1:0", "--state"]).arg(state).args(options);
    command.env_remove("LINODE_EMULATOR_TOKEN").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `None` when the connection ended without a whole answer.
pub(crate) fn ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: Option<&Value>,
) -> Option<Answer> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    let head = format!(
        "{method} /v4{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n"
    );
    stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let whole = headers.get("content-length")?.parse() == Ok(body.len());
    whole.then(|| Answer { status, headers, body: serde_json::from_str(body).unwrap() })
}

impl Answer {
    /// Field and reason of each error, of an answer with this status.
    pub(crate) fn errors(&self, status: u16) -> Vec<(String, String)> {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/json");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let errors = self.body["errors"].as_array().unwrap();
        errors.iter().map(|e| (text(&e["field"]), text(&e["reason"]))).collect()
    }

    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }
}
