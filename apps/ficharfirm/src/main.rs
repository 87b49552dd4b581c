//! ficharfirm: employees clock in and out; a month becomes a timesheet; a worker signs it.

mod backoff;
mod cache;
mod causes;
mod chain;
mod cli;
mod commands;
mod config;
mod export;
mod http;
mod keys;
mod limits;
mod load;
mod log;
mod month;
mod output;
mod pin;
mod queue;
mod signals;
mod store;
mod token;

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;

use cli::{Cli, Command};
use commands::CommandError;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let served = matches!(cli.command, Command::Web | Command::Worker);
    log::start(served);
    // Several crates here speak TLS; all of them with this one implementation.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return log::failed(served, &CommandError::Io(error)),
    };
    let outcome = runtime.block_on(run(cli.command));
    // A second signal must not wait for whatever still runs.
    runtime.shutdown_timeout(Duration::from_millis(100));
    match outcome {
        Ok(code) => code,
        Err(error) => log::failed(served, &error),
    }
}

async fn run(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Web => commands::web().await,
        Command::Worker => commands::worker().await,
        Command::Migrate { action } => commands::migrate::run(action).await,
        Command::Seed { employees } => commands::seed::run(employees).await,
        Command::Verify { json } => commands::verify::run(json).await,
        Command::Erase { employee } => commands::erase::run(&employee).await,
        Command::Rewrap => commands::erase::rewrap().await,
        Command::Load(load) => Ok(load::run(load).await?),
    }
}
