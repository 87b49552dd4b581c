//! `linode-emulator`: reads its arguments, opens the state, serves until it is told to stop.

mod args;

use args::Args;
use clap::Parser;
use linode_emulator::app::{App, Options};
use linode_emulator::fault::Faults;
use linode_emulator::job::Records;
use linode_emulator::serve;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let args = Args::parse();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(args)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("linode-emulator: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                text.push_str(&format!(": {error}"));
                source = error.source();
            }
            let _ = writeln!(io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(serve::tls(certificate, key)?),
        _ => None,
    };
    let (mut stop, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| format!("{} cannot be listened on: {error}", args.listen))?;
    let address = listener.local_addr()?;
    let options = Options {
        token: args.token,
        rate_limits: !args.no_rate_limits,
        faults: Faults::new(args.fault),
        timeout: Duration::from_millis(args.timeout.into()),
    };
    let machines = Records { unit: Duration::from_millis(args.pace.into()) };
    let app = App::open(&args.state, Box::new(machines), options)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    if tls.is_none() && !address.ip().is_loopback() {
        let _ = writeln!(
            io::stderr(),
            "linode-emulator: warning: {address} can be reached from elsewhere, and tokens travel in \
             plain text; use --tls-cert and --tls-key"
        );
    }
    writeln!(io::stdout(), "listening on {scheme}://{address}")?;
    io::stdout().flush()?;
    let told = async move {
        tokio::select! {
            _ = stop.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    serve::serve(app, listener, tls, told).await;
    Ok(())
}
