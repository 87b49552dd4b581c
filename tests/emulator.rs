//! The Linode emulator under the official clients: linodego with the calls of the Terraform provider,
//! `linode_api4` and `linode-cli`, without faults and with them, over plain HTTP and TLS; its S3 under
//! boto3, and under Terraform as the backend of a state. Each program says itself what it expects; here
//! they only have to end well. Proves point 6 of what no comparable
//! tool has, as far as the provider is its calls.

use crate::s3::{BUCKET, Conditions, Server};
use andamio_testkit::host::missing;
use andamio_testkit::{Abandoned, Ended, Need, Running, Scenario, Steps, command, run};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "emulator", need: Need::Nothing, run: all };

/// Compiling linodego, or installing from the package index, on a machine that does something else too.
const PREPARE: Duration = Duration::from_secs(480);
const PLAY: Duration = Duration::from_secs(300);
pub(crate) const TOKEN: &str = "token-of-the-scenario";
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
    steps.step("andamio cost --live", || live_prices(&Emulator::start(&[])));
    // Every second question of a kind: the second command meets both, and its next try is answered.
    let faults = ["--fault", "503:2:GET:/linode/types", "--fault", "429:2:GET:/volumes/types"];
    steps.step("andamio cost --live, with faults", || live_prices(&Emulator::start(&faults)));
    let go = "the provider's calls, by linodego";
    match go_program() {
        Ok(program) => plain_and_with_faults(steps, go, |emulator| emulator.play(&program, &[])),
        Err(why) => steps.skip(go, &why),
    }
    for name in ["terraform", "tofu"] {
        let title = format!("{name}: a state in the emulator's bucket, locked and unlocked");
        match missing(&[name]) {
            None => drop(steps.step(&title, || backend(name))),
            Some(why) => steps.skip(&title, &why),
        }
    }
    let names = ["linode_api4", "linode-cli", "boto3"];
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
    steps.step("boto3", || boto3(&python, &[]));
    // Those that boto3 repeats by itself.
    let faults = ["429:41:*:/s3", "500:37:GET:/s3", "503:43:*:/s3", "timeout:59:GET:/s3"];
    let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
    let options: Vec<&str> = ["--timeout", "200"].into_iter().chain(faults).collect();
    steps.step("boto3, with faults", || boto3(&python, &options));
    match certificate() {
        Ok((certificate, key)) => {
            steps.step("linode_api4 over TLS", || over_tls(&python, &certificate, &key));
        }
        Err(why) => steps.skip("linode_api4 over TLS", &why),
    }
    Ok(())
}

/// As dear as by the recorded list, which has the emulator's prices; elsewhere as the API says.
fn live_prices(emulator: &Emulator) {
    let own = fs::read_to_string(run::checkout().join("andamio.toml")).unwrap();
    let file = run::folder().join("places.toml");
    fs::write(&file, format!("{own}\n[places.sao]\nkind = \"linode\"\nregion = \"br-gru\"\n"))
        .unwrap();
    let cost = |words: &[&str]| {
        let mut andamio = Command::new(run::built("andamio"));
        andamio.arg("-f").arg(&file).arg("cost").args(words).arg("--json");
        andamio.env("LINODE_URL", &emulator.url);
        command::run(andamio, PLAY).expect(0).json()
    };
    let (live, recorded) = (cost(&["--live"]), cost(&[]));
    let both = [&live, &recorded].map(|costs| costs["environments"].as_array().unwrap());
    assert_eq!(both.map(Vec::len), [3, 3]);
    for (live, recorded) in both[0].iter().zip(both[1]) {
        assert_eq!((&live["prices"], &recorded["prices"]), (&json!("live"), &json!("recorded")));
        for sum in ["total_month", "total_hour", "expected_month", "max_month"] {
            assert_eq!(live[sum], recorded[sum], "{sum}: {live}");
        }
    }
    // Four of 33.60, and a bucket, which the emulator sells at one price everywhere.
    assert_eq!(cost(&["dev", "--place", "sao", "--live"])["total_month_usd"], 139.4);
}

fn plain_and_with_faults(steps: &mut Steps, name: &str, play: impl Fn(&Emulator)) {
    steps.step(name, || play(&Emulator::start(&["--pace", "10"])));
    let faults = FAULTS.iter().flat_map(|fault| ["--fault", fault]);
    let options: Vec<&str> =
        ["--pace", "10", "--timeout", "200"].into_iter().chain(faults).collect();
    steps.step(&format!("{name}, with faults"), || play(&Emulator::start(&options)));
}

pub(crate) struct Emulator {
    running: Running,
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
        Self { url: url.expect("it ended before it listened"), running }
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

fn boto3(python: &Path, options: &[&str]) {
    let mut all = vec!["--pace", "0", "--s3-listen", "127.0.0.1:0"];
    all.extend(options);
    let emulator = Emulator::start(&all);
    let s3 = |line: &str| line.strip_prefix("S3 on ").map(str::to_owned);
    let endpoint = emulator.running.line("the address of S3", Duration::from_secs(30), s3);
    let file = clients().join("python/s3.py").display().to_string();
    drop(emulator.run(python, &[&file], &[&endpoint.expect("it ended before it served S3")]));
}

/// A configuration that needs no provider, with its state in a bucket.
fn backend(name: &str) {
    let server = Server::start(Conditions::Kept);
    let folder = run::folder().join(format!("{name}-backend"));
    fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "terraform {{\n  backend \"s3\" {{\n    bucket = \"{BUCKET}\"\n    key = \"dev/terraform.tfstate\"\n    \
         use_lockfile = true\n    use_path_style = true\n    region = \"fr-par\"\n    endpoints = {{ s3 = \"{}\" }}\n    \
         skip_credentials_validation = true\n    skip_metadata_api_check = true\n    \
         skip_region_validation = true\n    skip_requesting_account_id = true\n  }}\n}}\n\
         variable \"word\" {{ default = \"one\" }}\n\
         resource \"terraform_data\" \"kept\" {{ input = var.word }}\n\
         output \"word\" {{ value = terraform_data.kept.output }}\n",
        server.endpoint()
    );
    fs::write(folder.join("main.tf"), text).unwrap();
    let command = |words: &[&str]| {
        let mut command = Command::new(name);
        command.current_dir(&folder).args(words).env("CHECKPOINT_DISABLE", "1");
        server.set(&mut command);
        command
    };
    let tool = |words: &[&str]| command::run(command(words), PLAY);
    let quiet = ["-no-color", "-input=false"];
    drop(tool(&[&["init"], &quiet[..]].concat()).expect(0));
    drop(tool(&[&["apply", "-auto-approve"], &quiet[..]].concat()).expect(0));
    assert_eq!(server.names("dev/"), ["dev/terraform.tfstate"], "the lock is there still");
    // Somebody else is at it.
    let lock = "dev/terraform.tfstate.tflock";
    assert_eq!(server.object("PUT", lock, b"{\"ID\": \"somebody-else\"}").unwrap().0, 200);
    let refused = tool(&[&["apply", "-auto-approve", "-var=word=two"], &quiet[..]].concat());
    assert!(refused.code == Some(1) && refused.stderr.contains("somebody-else"), "{refused}");
    assert_eq!(server.object("DELETE", lock, b"").unwrap().0, 204);
    let shown = tool(&["output", "-no-color", "-raw", "word"]).expect(0);
    assert_eq!(shown.stdout.trim(), "one");
    // Of several at once each is done, or is told of the lock; the state is always one of them whole.
    let rivals = (0..3).map(|n| {
        let word = format!("-var=word=rival-{n}");
        Running::start(command(&[&["apply", "-auto-approve", &word], &quiet[..]].concat()))
    });
    let rivals: Vec<Running> = rivals.collect();
    let ended: Vec<Ended> = rivals.into_iter().map(|rival| rival.end(PLAY)).collect();
    let locked = |e: &&Ended| e.stderr.contains("Error acquiring the state lock");
    let done = ended.iter().filter(|e| e.code == Some(0)).count();
    assert!(done > 0 && done + ended.iter().filter(locked).count() == ended.len(), "{}", ended[0]);
    let shown = tool(&["output", "-no-color", "-raw", "word"]).expect(0);
    assert!(shown.stdout.starts_with("rival-"), "{shown}");
    drop(tool(&[&["destroy", "-auto-approve"], &quiet[..]].concat()).expect(0));
    assert_eq!(server.names("dev/"), ["dev/terraform.tfstate"]);
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
pub(crate) fn certificate() -> Result<(PathBuf, PathBuf), String> {
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
