//! Logs: JSON lines, on stdout for the processes that serve, on stderr for commands, whose stdout is the answer.

use std::{io::Write as _, process::ExitCode};

use tracing_subscriber::{EnvFilter, fmt, fmt::writer::BoxMakeWriter};

use crate::{causes::causes, commands::CommandError};

pub(crate) fn start(served: bool) {
    let level = std::env::var("LOG").ok().filter(|l| !l.is_empty());
    let level = level.unwrap_or_else(|| if served { "info" } else { "warn" }.into());
    // Libraries tell of each lost connection in their own way; here it is told once.
    let filter = EnvFilter::try_new(format!("off,ficharfirm={level}"))
        .unwrap_or_else(|_| EnvFilter::new("off,ficharfirm=info"));
    let writer = if served {
        BoxMakeWriter::new(std::io::stdout)
    } else {
        BoxMakeWriter::new(std::io::stderr)
    };
    let subscriber = fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(writer)
        .finish();
    // Fails only if there is one already, which does as well.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Says once what went wrong, with its causes, and turns it into the exit status.
pub(crate) fn failed(served: bool, error: &CommandError) -> ExitCode {
    let text = causes(error);
    if served {
        tracing::error!("{text}");
    } else {
        // With stderr closed nobody is left to tell.
        let _ = writeln!(std::io::stderr(), "ficharfirm: {text}");
    }
    ExitCode::from(error.status())
}
