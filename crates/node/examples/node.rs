//! The node by itself, to try it on a machine: `node check|apply < manifest.json`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its user")]

use andamio_node::{Mode, confirm, facts, serve, undo_firewall};
use std::process::ExitCode;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "node") {
        words.remove(0);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    match words.as_slice() {
        ["check"] => drop(serve(input, &mut output, Mode::Check).await),
        ["apply"] => drop(serve(input, &mut output, Mode::Apply).await),
        ["facts"] => println!("{:?}", facts().await),
        ["confirm", token] => println!("{:?}", confirm(token)),
        ["undo-firewall", "--after", after, "--token", token] => {
            let seconds = after.trim_end_matches('s').parse().unwrap_or(20);
            println!("{:?}", undo_firewall(token, Duration::from_secs(seconds)).await);
        }
        _ => {
            eprintln!(
                "node check|apply|facts|confirm TOKEN|undo-firewall --after 20s --token TOKEN"
            );
            return ExitCode::from(64);
        }
    }
    ExitCode::SUCCESS
}
