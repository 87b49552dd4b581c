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
    // podman says the number of the container that it starts.
    let number = |line: &&str| line.len() == 64 && line.bytes().all(|b| b.is_ascii_hexdigit());
    let told: Vec<&str> = lines
        .lines()
        .filter(|line| !line.trim().is_empty() && !monitor(line) && !number(line))
        .collect();
    told.get(told.len().saturating_sub(SHOWN)..).unwrap_or_default().to_vec()
}

/// The last lines that the unit itself wrote, of those since a time in seconds: without what systemd, podman and
/// its monitor say of it, without colours, and cut where they are long.
pub(crate) async fn own_lines(unit: &str, since: Option<u64>) -> Vec<String> {
    let (own, since) = (format!("_SYSTEMD_UNIT={unit}"), since.map(|at| format!("--since=@{at}")));
    let mut argv = vec!["journalctl", "--no-pager", "--quiet", "--all", "-o", "cat", "-n", "60"];
    argv.extend(since.as_deref());
    argv.push(&own);
    match process::run(&argv, "", Duration::from_secs(5)).await {
        Ok(lines) => telling(&lines).into_iter().map(readable).collect(),
        Err(_) => Vec::new(),
    }
}

/// A line as it may be shown on a terminal.
fn readable(line: &str) -> String {
    const LONGEST: usize = 300;
    let mut text = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            // A sequence for a terminal ends with a letter, one for its title with a bell.
            '\u{1b}' => match chars.next() {
                Some('[') => drop(chars.find(|c| c.is_ascii_alphabetic())),
                Some(']') => drop(chars.find(|c| *c == '\u{7}')),
                _ => {}
            },
            '\t' => text.push(' '),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", text.split_at(at).0),
        None => text,
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

#[cfg(test)]
mod tests {
    use super::{readable, telling};

    #[test]
    fn lines_are_fit_for_a_terminal() {
        assert_eq!(readable("\u{1b}[31mred\u{1b}[0m\t\u{1b}]0;title\u{7}a\r"), "red a");
        let long = readable(&"é".repeat(5000));
        assert_eq!(long.chars().count(), 301);
    }

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
