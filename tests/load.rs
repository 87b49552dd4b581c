//! A load from this host, as a user of the application would be one.

use andamio_testkit::{Sandbox, command, run};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

/// Employees of an environment, as JSON Lines in a file.
pub(crate) fn accounts(s: &Sandbox, env: &str, count: u32) -> PathBuf {
    let file = s.folder.join(format!("{env}-accounts"));
    let count = count.to_string();
    let seeded = s.ok(&["run", env, "--", "ficharfirm", "seed", "--employees", &count]);
    fs::write(&file, seeded.stdout).unwrap();
    file
}

/// Starts one that lasts so long; what it came to is the thread's answer.
pub(crate) fn start(url: &str, accounts: &PathBuf, rate: u32, seconds: u32) -> JoinHandle<Value> {
    let mut load = Command::new(run::built("ficharfirm"));
    load.args(["load", "--url", url, "--rate", &rate.to_string()]);
    load.args(["--seconds", &seconds.to_string(), "--json", "--accounts"]).arg(accounts);
    follow(load, seconds)
}

pub(crate) fn follow(load: Command, seconds: u32) -> JoinHandle<Value> {
    let deadline = Duration::from_secs(u64::from(seconds) + 90);
    std::thread::spawn(move || {
        let ended = command::run(load, deadline);
        let mut load: Value =
            serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {ended}"));
        // Long, and of no use in a figure.
        load.as_object_mut().unwrap().remove("timeline");
        load
    })
}
