//! The last words of a unit that did not start, or that failed.

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

/// The last line that the unit itself wrote, without what systemd says of it.
pub(crate) async fn last_line(unit: &str) -> String {
    let own = format!("_SYSTEMD_UNIT={unit}");
    let argv = ["journalctl", "--no-pager", "--quiet", "-o", "cat", "-n", "1", &own];
    match process::run(&argv, "", Duration::from_secs(5)).await {
        Ok(line) if line.trim().is_empty() => format!("{unit} failed and said nothing"),
        Ok(line) => line.trim().to_owned(),
        Err(error) => error.to_string(),
    }
}
