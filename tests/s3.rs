//! S3 on loopback: the Linode emulator, with a bucket and a key that its API made. It can be told to
//! break the promise that the state stands on, or to lose answers.

use andamio_engine::{Bucket, S3Config, Secret, StatePlace, Store};
use andamio_testkit::{Running, run};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const BUCKET: &str = "team-state";
const REGION: &str = "fr-par";
const STARTED: Duration = Duration::from_secs(30);

/// What the server makes of `If-None-Match: *`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conditions {
    Kept,
    /// Looks, then writes: rivals come through, latecomers don't.
    Racy,
    Ignored,
}

pub(crate) struct Server {
    /// Dropped first, so that nothing is served while the folder goes.
    running: Option<Running>,
    folder: TempDir,
    api: String,
    endpoint: String,
    key: (String, String),
    /// Speaks TLS with a certificate that only this file vouches for.
    certificate: Option<PathBuf>,
}

impl Server {
    pub(crate) fn start(conditions: Conditions) -> Self {
        let conditions = format!("{conditions:?}").to_lowercase();
        Self::with(&["--s3-conditions", &conditions])
    }

    pub(crate) fn with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (running, api, endpoint) = launch(folder.path(), options);
        let key = (String::new(), String::new());
        let mut server =
            Self { running: Some(running), folder, api, endpoint, key, certificate: None };
        let bucket = json!({"label": BUCKET, "region": REGION});
        server.api("POST", "/object-storage/buckets", &bucket);
        let key = server.api("POST", "/object-storage/keys", &json!({"label": "team"}));
        let text = |field: &str| key[field].as_str().unwrap().to_owned();
        server.key = (text("access_key"), text("secret_key"));
        server
    }

    /// The same over TLS, where its API cannot be asked from here.
    pub(crate) fn start_tls() -> Self {
        let mut server = Self::start(Conditions::Kept);
        server.stop();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let [certificate, key] =
            ["authority.pem", "key.pem"].map(|name| server.folder.path().join(name));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let [cert, key] = [&certificate, &key].map(|file| file.display().to_string());
        let (running, api, endpoint) =
            launch(server.folder.path(), &["--tls-cert", &cert, "--tls-key", &key]);
        server.running = Some(running);
        (server.api, server.endpoint, server.certificate) = (api, endpoint, Some(certificate));
        server
    }

    /// From now on nobody answers there.
    pub(crate) fn stop(&mut self) {
        self.running.take();
    }

    /// With what it had, at another address.
    pub(crate) fn start_again(&mut self) {
        let (running, api, endpoint) = launch(self.folder.path(), &[]);
        self.running = Some(running);
        (self.api, self.endpoint) = (api, endpoint);
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn certificate(&self) -> &Path {
        self.certificate.as_deref().expect("a server with TLS")
    }

    fn api(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}/v4{path}", self.api);
        let answer = http(&url, method, "Authorization: Bearer x\r\n", body.to_string().as_bytes());
        let (status, body) = answer.unwrap_or_else(|| panic!("no answer to {method} {path}"));
        let text = String::from_utf8(body).unwrap();
        assert_eq!(status, 200, "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Names of the objects below a prefix.
    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        let path = format!("/object-storage/buckets/{REGION}/{BUCKET}/object-list");
        let page = self.api("GET", &format!("{path}?page_size=5000&prefix={prefix}"), &json!({}));
        let names = page["data"].as_array().unwrap().iter();
        names.map(|object| object["name"].as_str().unwrap().to_owned()).collect()
    }

    /// One request about one object, past every client; `None` when its answer is lost.
    pub(crate) fn object(&self, method: &str, name: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        let path = format!("/object-storage/buckets/{REGION}/{BUCKET}/object-url");
        let signed = self.api("POST", &path, &json!({"method": method, "name": name}));
        http(signed["url"].as_str().unwrap(), method, "", body)
    }

    pub(crate) fn access(&self) -> S3Config {
        S3Config {
            endpoint: Some(self.endpoint.clone()),
            key_id: Some(self.key.0.clone()),
            secret: Some(Secret(self.key.1.clone())),
            ..S3Config::default()
        }
    }

    pub(crate) fn secret(&self) -> &str {
        &self.key.1
    }

    pub(crate) fn store(&self) -> Store {
        let bucket = Bucket::new(BUCKET, "shop", self.access()).unwrap();
        Store::open(&StatePlace::Bucket(bucket)).unwrap()
    }

    /// A shell line that runs the words while this is served at the same address, for whoever cleans up after
    /// this process.
    pub(crate) fn line(&self, words: &[String]) -> String {
        let quote = |word: &str| format!("'{}'", word.replace('\'', "'\\''"));
        let program = quote(&run::built("linode-emulator").display().to_string());
        let state = quote(&self.folder.path().join("emulator").display().to_string());
        let address = self.endpoint.trim_start_matches("http://");
        let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
        format!(
            "{program} --listen 127.0.0.1:0 --s3-listen {address} --no-rate-limits --state {state} >&2 & \
             trap \"kill $!\" EXIT; sleep 1; export AWS_ENDPOINT_URL={} AWS_ACCESS_KEY_ID={} \
             AWS_SECRET_ACCESS_KEY={}; {}",
            self.endpoint,
            self.key.0,
            self.key.1,
            words.join(" ")
        )
    }

    /// What a person sets before a command.
    pub(crate) fn set(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", &self.key.0)
            .env("AWS_SECRET_ACCESS_KEY", &self.key.1);
        for variable in ["AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"]
        {
            command.env_remove(variable);
        }
    }
}

/// Addresses of the API and of S3.
fn launch(state: &Path, options: &[&str]) -> (Running, String, String) {
    let mut command = Command::new(run::built("linode-emulator"));
    command.args(["--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0", "--no-rate-limits"]);
    command.arg("--state").arg(state.join("emulator")).args(options);
    command.env_remove("LINODE_EMULATOR_TOKEN");
    let running = Running::start(command);
    let address = |what: &'static str| {
        let line = |line: &str| line.strip_prefix(&format!("{what} on ")).map(str::to_owned);
        running.line("its address", STARTED, line).expect("it ended before it listened")
    };
    let (api, s3) = (address("listening"), address("S3"));
    (running, api, s3)
}

/// Status and body; `None` when the connection ended without a whole answer.
fn http(url: &str, method: &str, headers: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut stream = TcpStream::connect(host).ok()?;
    stream.set_read_timeout(Some(STARTED)).unwrap();
    let length = body.len();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let body = answer[end + 4..].to_vec();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|n| n.parse() == Ok(body.len())).then_some((status, body))
}
