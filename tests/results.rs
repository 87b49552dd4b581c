//! Figures of the long scenarios, from which the README quotes.

use andamio_testkit::{Steps, run};
use serde_json::json;
use std::fs;
use std::process::Command;

/// Writes `results/NAME.json`: commit, machine, date, figures. What a run left out stays as an earlier one
/// found it.
pub(crate) fn write(name: &str, steps: &Steps) {
    let folder = run::checkout().join("results");
    let file = folder.join(format!("{name}.json"));
    if steps.skipped > 0 && file.exists() {
        println!("  kept     {}: something was skipped", file.display());
        return;
    }
    let document = json!({
        "name": name,
        "commit": git(&["rev-parse", "HEAD"]),
        "changed_files": git(&["status", "--porcelain", "--untracked-files=no"]).lines().count(),
        "date": jiff::Timestamp::now().to_string(),
        "machine": machine(),
        "passed": steps.passed,
        "failed": steps.failed,
        "skipped": steps.skipped,
        "figures": steps.figures,
    });
    fs::create_dir_all(&folder).unwrap();
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    fs::write(&file, text).unwrap();
    println!("  wrote    {}", file.display());
}

fn git(arguments: &[&str]) -> String {
    let output = Command::new("git").current_dir(run::checkout()).args(arguments).output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}

fn machine() -> serde_json::Value {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, key: &str| {
        let line = text.lines().find(|l| l.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once([':', '='])
            .map_or(String::new(), |(_, v)| v.trim().trim_matches('"').to_owned())
    };
    json!({
        "processors": std::thread::available_parallelism().map_or(0, |n| n.get()),
        "model": field(&read("/proc/cpuinfo"), "model name"),
        "memory": field(&read("/proc/meminfo"), "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "system": field(&read("/etc/os-release"), "PRETTY_NAME"),
    })
}
