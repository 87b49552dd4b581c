//! The Linode emulator under the official clients: linodego with the calls of the Terraform provider,
//! `linode_api4` and `linode-cli`, without faults and with them, over plain HTTP and TLS. Each program
//! says itself what it expects; here they only have to end well. Proves point 6 of what no comparable
//! tool has, as far as the provider is its calls.

use andamio_testkit::{Abandoned, Ended, Need, Running, Scenario, Steps, command, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "emulator", need: Need::Nothing, run: all };

/// Compiling linodego, or installing from the package index, on a machine that does something else too.
const PREPARE: Duration = Duration::from_secs(480);
const PLAY: Duration = Duration::from_secs(300);
const TOKEN: &str = "token-of-the-scenario";
/// What the libraries repeat by themselves, or their programs do as a person would.
const FAULTS: &[&str] = &[
    "429:17",
    "408:23",
    "503:29:GET",
    "500:3:GET:/linode/instances/*/ips",
    "busy:7:POST:/linode/instances",
    "timeout:31:GET",
];

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let go = "the provider's calls, by linodego";
    match go_program() {
        Ok(program) => plain_and_with_faults(steps, go, |emulator| emulator.play(&program, &[])),
        Err(why) => steps.skip(go, &why),
    }
    let names = ["linode_api4", "linode-cli"];
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            names.iter().for_each(|name| steps.skip(name, &why));
            return Ok(());
        }
    };
    for (name, program) in names.into_iter().zip(["api4.py", "cli.py"]) {
        let file = clients().join("python").join(program).display().to_string();
        plain_and_with_faults(steps, name, |emulator| emulator.play(&python, &[&file]));
    }
    match certificate() {
        Ok((certificate, key)) => {
            steps.step("linode_api4 over TLS", || over_tls(&python, &certificate, &key));
        }
        Err(why) => steps.skip("linode_api4 over TLS", &why),
    }
    Ok(())
}

fn plain_and_with_faults(steps: &mut Steps, name: &str, play: impl Fn(&Emulator)) {
    steps.step(name, || play(&Emulator::start(&["--pace", "10"])));
    let faults = FAULTS.iter().flat_map(|fault| ["--fault", fault]);
    let options: Vec<&str> =
        ["--pace", "10", "--timeout", "200"].into_iter().chain(faults).collect();
    steps.step(&format!("{name}, with faults"), || play(&Emulator::start(&options)));
}

pub(crate) struct Emulator {
    _running: Running,
    pub(crate) url: String,
}

impl Emulator {
    pub(crate) fn start(options: &[&str]) -> Self {
        let state =
            run::folder().join(format!("emulator-{}", jiff::Timestamp::now().as_nanosecond()));
        let mut command = Command::new(run::built("linode-emulator"));
        command
            .args(["--listen", "127.0.0.1:0", "--token", TOKEN, "--state"])
            .arg(state)
            .args(options);
        let running = Running::start(command);
        let listening = |line: &str| line.strip_prefix("listening on ").map(str::to_owned);
        let url = running.line("its address", Duration::from_secs(30), listening);
        Self { url: url.expect("it ended before it listened"), _running: running }
    }

    fn play(&self, program: &Path, words: &[&str]) {
        drop(self.run(program, words, &[]));
    }

    pub(crate) fn run(&self, program: &Path, before: &[&str], after: &[&str]) -> Ended {
        let mut client = Command::new(program);
        client.args(before).args([&self.url, TOKEN]).args(after).env_remove("LINODE_TOKEN");
        command::run(client, PLAY).expect(0)
    }
}

fn over_tls(python: &Path, certificate: &Path, key: &Path) {
    let [cert, key] = [certificate, key].map(|file| file.display().to_string());
    let emulator = Emulator::start(&["--pace", "10", "--tls-cert", &cert, "--tls-key", &key]);
    assert!(emulator.url.starts_with("https://"), "{}", emulator.url);
    let mut client = Command::new(python);
    client.arg(clients().join("python/api4.py")).args([&emulator.url, TOKEN]);
    client.env("REQUESTS_CA_BUNDLE", certificate);
    drop(command::run(client, PLAY).expect(0));
}

fn clients() -> PathBuf {
    run::checkout().join("crates/linode-emulator/tests/clients")
}

/// Runs something that may not be possible here; its last line is why.
fn possible(mut program: Command) -> Result<(), String> {
    let name = program.get_program().to_string_lossy().into_owned();
    // One that is not there cannot be run, and that is no failure.
    program.output().map_err(|e| format!("needs {name}: {e}")).map(drop)
}

fn attempt(program: Command, what: &str) -> Result<(), String> {
    let ended = command::run(program, PREPARE);
    if ended.code == Some(0) {
        return Ok(());
    }
    let last = ended.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("{what} cannot be had: {}", last.trim()))
}

/// The Go program. Modules that cannot be had are a reason to skip; one that does not compile is not.
pub(crate) fn go_program() -> Result<PathBuf, String> {
    let go = |words: &[&str]| {
        let mut go = Command::new("go");
        go.current_dir(clients().join("go"))
            .args(words)
            .env("GOFLAGS", "-mod=readonly -buildvcs=false");
        go
    };
    possible(go(&["version"]))?;
    attempt(go(&["mod", "download"]), "linodego")?;
    let program = run::folder().join("linodego-client");
    let built = command::run(go(&["build", "-o", &program.display().to_string(), "."]), PREPARE);
    if built.code != Some(0) {
        panic!("the Go program does not compile: {built}");
    }
    Ok(program)
}

/// A Python that has both packages.
fn python() -> Result<PathBuf, String> {
    let folder = run::folder().join("python");
    let mut version = Command::new("python3");
    version.arg("--version");
    possible(version)?;
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&folder);
    attempt(venv, "a virtual environment of Python")?;
    let python = folder.join("bin/python");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "-r"])
        .arg(clients().join("python/requirements.txt"));
    attempt(pip, "linode-cli and linode_api4")?;
    Ok(python)
}

/// Of 127.0.0.1, signed by itself, good for a day.
fn certificate() -> Result<(PathBuf, PathBuf), String> {
    let mut version = Command::new("openssl");
    version.arg("version");
    possible(version)?;
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| run::folder().join(name));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    openssl.args([
        "-days",
        "1",
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]);
    openssl.arg("-out").arg(&certificate).arg("-keyout").arg(&key);
    attempt(openssl, "a certificate")?;
    Ok((certificate, key))
}
