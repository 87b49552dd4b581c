//! Who belongs to a command: pure, from the table of processes.

use std::fs;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) session: i32,
}

/// All that live.
pub(super) fn table() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .filter_map(|entry| parse(&fs::read_to_string(entry.path().join("stat")).ok()?))
        .collect()
}

/// A line of `/proc/PID/stat`; the name between the brackets may have any letter.
fn parse(stat: &str) -> Option<Process> {
    let (head, rest) = stat.rsplit_once(')')?;
    let pid = head.split_once(' ')?.0.parse().ok()?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    Some(Process { pid, parent, session })
}

/// Daemons: they have a session of their own, and whoever started them is gone.
pub(super) fn detached(table: &[Process], own: i32, main: i32, session: i32) -> Vec<i32> {
    let is = |p: &&Process| p.parent == own && p.pid != main && p.session != session;
    table.iter().filter(is).map(|p| p.pid).collect()
}

/// Descendants of this process, and who shares its session; not `detached` and what these started, and not
/// those from whom this process itself descends.
pub(super) fn family(table: &[Process], own: i32, session: i32, detached: &[i32]) -> Vec<i32> {
    let parent = |pid: i32| table.iter().find(|p| p.pid == pid).map(|p| p.parent);
    let line = |pid: i32| {
        let mut next = Some(pid);
        std::iter::from_fn(move || {
            let now = next?;
            next = parent(now);
            Some(now)
        })
        // A table that was read while processes ended may have a circle.
        .take(table.len() + 1)
        .collect::<Vec<_>>()
    };
    let ancestors = line(own);
    let belongs = |p: &&Process| {
        let line = line(p.pid);
        !ancestors.contains(&p.pid)
            && !line.iter().any(|pid| detached.contains(pid))
            && (p.session == session || line.contains(&own))
    };
    table.iter().filter(belongs).map(|p| p.pid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, session: i32) -> Process {
        Process { pid, parent, session }
    }

    #[test]
    fn a_line_of_the_kernel_is_read_whatever_the_program_is_called() {
        let line = "4711 (a) b (c) S 10 4711 9 0 -1 4194560 1";
        assert_eq!(parse(line), Some(process(4711, 10, 9)));
        assert_eq!(parse("4711 (sh) Z 10 4711 9 0"), None);
        assert!(parse("nonsense").is_none());
    }

    #[test]
    fn who_detached_stays_and_all_others_go() {
        // 1 → 5 (server) → 10 (this) → 11 (command) → 12; 13 shares the session; 14 and its child 15 are a daemon;
        // 16 has a session of its own, but not detached: its parent lives.
        let table = [
            process(1, 0, 1),
            process(5, 1, 5),
            process(10, 5, 10),
            process(11, 10, 10),
            process(12, 11, 10),
            process(13, 1, 10),
            process(14, 10, 14),
            process(15, 14, 14),
            process(16, 11, 16),
            process(20, 1, 20),
        ];
        let gone = detached(&table, 10, 11, 10);
        assert_eq!(gone, [14]);
        assert_eq!(family(&table, 10, 10, &gone), [11, 12, 13, 16]);
        // An operator who is not root comes through sudo, in the same session.
        let table = [process(5, 1, 5), process(9, 5, 9), process(10, 9, 9), process(11, 10, 9)];
        assert_eq!(family(&table, 10, 9, &[]), [11]);
    }
}
