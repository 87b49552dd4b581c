//! A process that puts a broken machine back when the drill ends, however it ends: it waits for the end of
//! its input, which is also what it sees of a drill that was killed.

use crate::Failure;
use crate::failure::fault;
use andamio_engine::ErrorReport;
use andamio_provision::local::FaultInjection;
use std::path::Path;
use std::process::Stdio;
use tokio::process::{Child, Command};

pub(super) struct Guard(Child);

impl Guard {
    /// Starts it; from here on the machine is put back whatever happens.
    pub(super) fn start(program: &Path, injection: &FaultInjection) -> Result<Self, ErrorReport> {
        let child = Command::new(program)
            .args([
                "machine",
                "revert",
                &injection.instance,
                &injection.machine,
                &injection.interface,
            ])
            .arg(injection.address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .process_group(0)
            .spawn();
        child
            .map(Self)
            .map_err(|e| ErrorReport::from_error("drill", &e, "run andamio by its full path"))
    }

    /// Has the machine put back and waits until it is.
    pub(super) async fn end(mut self) -> Result<(), ErrorReport> {
        drop(self.0.stdin.take());
        let ended = self.0.wait().await;
        if ended.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        let help = "stop and start the machine: `andamio up` does it after asking";
        Err(ErrorReport::new("drill", "the machine could not be put back", help))
    }
}

/// What the guard does, once its input has ended. Its process group is its own, so that Ctrl-C is not for it.
///
/// # Errors
/// When the machine cannot be put back.
pub async fn revert(injection: &FaultInjection) -> Result<(), Failure> {
    Ok(injection.revert().await.map_err(|e| fault(&e))?)
}
