//! `hosts500 [HOSTS]`: one process is the hosts, each an SSH server of its own on loopback that runs the
//! node's own code; another is the controller, with the code that `andamio plan` asks machines with. The
//! third starts them, reads the controller's own time and peak memory, and writes results/hosts500.json.
//!
//! What is simulated is the machine: all hosts share this one's processors and kernel, so that the
//! controller has half of what it would have. The node compares real files; its manifest declares what is
//! there, so the answer is that nothing is to be changed.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark that cannot go on must stop, and says so where its caller reads"
)]

mod controller;
mod hosts;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

/// The controller is started anew for each, so that nothing is warm but the page cache.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["hosts", count] => hosts::run(count.parse().expect("a number of hosts")),
        ["controller"] => controller::run(),
        [] => measure(500),
        [count] if count.parse::<usize>().is_ok() => measure(count.parse().unwrap()),
        _ => {
            eprintln!("usage: hosts500 [HOSTS]");
            return ExitCode::from(64);
        }
    }
    ExitCode::SUCCESS
}

/// This program in another role; each host needs a listener and a connection.
fn role(words: &str, hosts: usize) -> Child {
    let program = std::env::current_exe().unwrap();
    let files = 2 * hosts + 100;
    let script = format!("ulimit -n {files} && exec \"$0\" {words}");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
    shell.spawn().expect("sh")
}

fn measure(hosts: usize) {
    let mut serving = role(&format!("hosts {hosts}"), hosts);
    let mut list = String::new();
    BufReader::new(serving.stdout.take().unwrap()).read_line(&mut list).unwrap();
    assert!(!list.is_empty(), "the hosts do not serve");
    let before = load();
    let mut rounds: Vec<Value> = Vec::new();
    for _ in 0..ROUNDS {
        let mut controller = role("controller", hosts);
        controller.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
        let output = controller.wait_with_output().unwrap();
        assert!(output.status.success(), "the controller failed");
        let round: Value = serde_json::from_slice(&output.stdout).expect("a line of figures");
        println!("{round}");
        rounds.push(round);
    }
    let after = load();
    drop(serving.stdin.take());
    serving.wait().unwrap();
    let mut seconds: Vec<f64> = rounds.iter().map(|r| r["seconds"].as_f64().unwrap()).collect();
    seconds.sort_by(f64::total_cmp);
    let memory = rounds.iter().map(|r| r["peak_memory_bytes"].as_u64().unwrap()).max().unwrap();
    let result = json!({
        "v": 1, "name": "hosts500", "commit": commit(), "date": jiff::Timestamp::now().to_string(),
        "hosts": hosts, "median_s": seconds[ROUNDS / 2], "worst_s": seconds[ROUNDS - 1],
        "peak_memory_bytes": memory, "load_before": before, "load_after": after, "rounds": rounds,
    });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/hosts500.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, format!("{result:#}\n")).unwrap();
    println!("{hosts} hosts: median {:.2} s, peak {} bytes", seconds[ROUNDS / 2], memory);
}

/// Of the last minute: the figures say little on a machine that does something else.
fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)
}

fn commit() -> String {
    let git = Command::new("git").args(["rev-parse", "HEAD"]).output();
    git.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}
