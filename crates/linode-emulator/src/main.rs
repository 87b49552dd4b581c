//! `linode-emulator`: reads its arguments, opens the state, serves until it is told to stop.

mod args;

use args::Args;
use clap::Parser;
use linode_emulator::app::{App, Options};
use linode_emulator::fault::Faults;
use linode_emulator::job::Records;
use linode_emulator::s3::S3;
use linode_emulator::serve;
use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

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
    let scheme = if tls.is_some() { "https" } else { "http" };
    let (listener, address) = listen(args.listen).await?;
    let objects = match args.s3_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let name = objects.as_ref().map(|(_, address)| match &args.s3_name {
        Some(name) => name.clone(),
        // Clients take a bucket into the path where the host is an address, and need no names then.
        None => address.ip().to_string(),
    });
    let port = objects.as_ref().map_or(0, |(_, address)| address.port());
    let options = Options {
        token: args.token,
        rate_limits: !args.no_rate_limits,
        faults: Faults::new(args.fault),
        timeout: Duration::from_millis(args.timeout.into()),
        s3: name.as_ref().map(|name| format!("{scheme}://{name}:{port}")),
    };
    let machines = Records { unit: Duration::from_millis(args.pace.into()) };
    let app = App::open(&args.state, Box::new(machines), options)?;
    let mut addresses = vec![("listening", address)];
    let objects = match (objects, name) {
        (Some((listener, address)), Some(name)) => {
            addresses.push(("S3", address));
            Some((listener, S3::open(&app, &args.state, &name, args.s3_conditions).await?))
        }
        _ => None,
    };
    let mut lines = String::new();
    for (what, address) in addresses {
        if tls.is_none() && !address.ip().is_loopback() {
            let _ = writeln!(
                io::stderr(),
                "linode-emulator: warning: {address} can be reached from elsewhere, and tokens travel \
                 in plain text; use --tls-cert and --tls-key"
            );
        }
        lines.push_str(&format!("{what} on {scheme}://{address}\n"));
    }
    // At once: a reader may be content with the first line, and close.
    io::stdout().write_all(lines.as_bytes())?;
    io::stdout().flush()?;
    let (tell, mut told) = watch::channel(());
    let mut told_too = told.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = stop.recv() => {}
            _ = interrupt.recv() => {}
        }
        drop(tell);
    });
    let api = serve::serve(serve::api(app), listener, tls.clone(), async move {
        // An error is the end.
        let _ = told.changed().await;
    });
    let s3 = async {
        if let Some((listener, s3)) = objects {
            let end = async move {
                let _ = told_too.changed().await;
            };
            serve::serve(s3, listener, tls, end).await;
        }
    };
    tokio::join!(api, s3);
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| format!("{address} cannot be listened on: {error}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
