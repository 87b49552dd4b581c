//! The last words of a unit that did not start.

use crate::process;
use std::time::Duration;

/// The last lines of a unit's journal, or why there are none. Asked only after a failure, so a
/// process is cheap enough.
pub(crate) async fn last_lines(unit: &str) -> String {
    let argv = ["journalctl", "--no-pager", "--quiet", "-o", "cat", "-n", "15", "-u", unit];
    match process::run(&argv, "", Duration::from_secs(5)).await {
        Ok(lines) if lines.trim().is_empty() => "its journal is empty".to_owned(),
        Ok(lines) => format!("its journal ends with:\n{}", lines.trim_end()),
        Err(error) => error.to_string(),
    }
}
