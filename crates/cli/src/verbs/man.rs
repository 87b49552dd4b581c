use crate::args::Args;
use crate::exit::{Exit, Stop};
use crate::output::Output;
use clap::CommandFactory;
use std::fs;
use std::path::Path;

/// From the same source as `--help`.
pub(crate) fn man(output: &Output, folder: &Path) -> Result<Exit, Stop> {
    let write = || {
        fs::create_dir_all(folder)?;
        clap_mangen::generate_to(Args::command(), folder)
    };
    write().map_err(|e: std::io::Error| {
        let message = format!("cannot write manual pages to {}: {e}", folder.display());
        Stop::failed("out", message, "name a folder that can be written")
    })?;
    output.note(&format!("`man -l {}/andamio.1` shows the first.", folder.display()));
    Ok(Exit::Done)
}
