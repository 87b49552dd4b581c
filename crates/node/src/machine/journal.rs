//! The last words of a unit that did not start, or that failed.

use crate::process;
use std::time::Duration;

/// The last lines of a unit's journal, or why there are none. Asked only after a failure, so a
/// process is cheap enough.
pub(crate) async fn last_lines(unit: &str) -> String {
    let argv = ["journalctl", "--no-pager", "--quiet", "-o", "cat", "-n", "40", "-u", unit];
    match process::run(&argv, "", Duration::from_secs(5)).await {
        Ok(lines) => match telling(&lines).as_slice() {
            [] => "its journal is empty".to_owned(),
            lines => format!("its journal ends with:\n{}", lines.join("\n")),
        },
        Err(error) => error.to_string(),
    }
}

/// The last of them without those of a container's monitor, which warns at each start that a machine of this
/// kind gives it no control group.
fn telling(lines: &str) -> Vec<&str> {
    const SHOWN: usize = 15;
    let monitor = |line: &&str| line.starts_with("conmon ") && line.contains("<nwarn>");
    let told: Vec<&str> =
        lines.lines().filter(|line| !line.trim().is_empty() && !monitor(line)).collect();
    told.get(told.len().saturating_sub(SHOWN)..).unwrap_or_default().to_vec()
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

#[cfg(test)]
mod tests {
    use super::telling;

    #[test]
    fn what_a_monitor_warns_of_hides_nothing() {
        let lines =
            "old\nStarted a.\nconmon 62 <nwarn>: Failed to open cgroups file\n\nwhy it ended\n";
        assert_eq!(telling(lines), ["old", "Started a.", "why it ended"]);
        let many: String = (0..30).map(|n| format!("{n}\n")).collect();
        assert_eq!(telling(&many).len(), 15);
        assert_eq!(telling(&many).last(), Some(&"29"));
    }
}
