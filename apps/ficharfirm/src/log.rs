//! Logs: JSON lines, on stdout for the processes that serve, on stderr for commands, whose stdout is the answer.

use std::{io::Write as _, process::ExitCode};

use tracing::Level;
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, fmt::writer::BoxMakeWriter, layer::SubscriberExt as _,
    registry,
};

use crate::{causes::causes, commands::CommandError};

pub(crate) fn start(served: bool) {
    let level = std::env::var("LOG").ok().filter(|l| !l.is_empty());
    let level = level.unwrap_or_else(|| if served { "info" } else { "warn" }.into());
    // Libraries tell of each lost connection in their own way; here it is told once.
    let filter: Targets = format!("off,ficharfirm={level}")
        .parse()
        .unwrap_or_else(|_| Targets::new().with_target("ficharfirm", Level::INFO));
    let writer = if served {
        BoxMakeWriter::new(std::io::stdout)
    } else {
        BoxMakeWriter::new(std::io::stderr)
    };
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer)
        .with_filter(filter);
    // Fails only if there is one already, which does as well.
    let _ = tracing::subscriber::set_global_default(registry().with(lines));
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
