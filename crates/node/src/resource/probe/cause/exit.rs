//! How a process ended, in words. Pure.

use nix::sys::signal::Signal;

/// As systemd keeps it for a unit's main process; for a container that is its monitor, which ends with the
/// status of the process inside, and with 128 + N after a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) by_signal: bool,
    /// Of its exit, or the signal.
    pub(crate) status: i32,
    /// What systemd makes of it: `exit-code`, `signal`, `oom-kill`, …
    pub(crate) result: String,
    /// The kernel has killed something in its control group for memory.
    pub(crate) out_of_memory: bool,
}

impl Exit {
    pub(crate) fn signal(&self) -> Option<i32> {
        match self.status {
            status if self.by_signal => Some(status),
            status @ 129..=192 => Some(status - 128),
            _ => None,
        }
    }

    pub(crate) fn is_memory(&self) -> bool {
        self.result == "oom-kill" || (self.out_of_memory && self.signal() == Some(9))
    }

    pub(crate) fn words(&self) -> String {
        if self.is_memory() {
            return "it was killed because its memory was used up".to_owned();
        }
        if let Some(number) = self.signal() {
            let name = Signal::try_from(number).map_or("a signal", Signal::as_str);
            let status = 128 + number;
            return match number {
                9 => format!("it was killed ({name}, status {status}), and not for its own memory"),
                4 => format!(
                    "it ended with {name} (status {status}): the processor lacks an instruction"
                ),
                6 => format!("it ended itself with {name} (status {status})"),
                7 | 11 => format!("it crashed with {name} (status {status})"),
                _ => format!("it was ended by {name} (status {status})"),
            };
        }
        match self.status {
            0 => "it ended by itself with status 0, and a process has to stay in the foreground"
                .to_owned(),
            125 => "podman could not make its container (status 125)".to_owned(),
            126 => "its command cannot be executed (status 126)".to_owned(),
            127 => "there is no such command (status 127)".to_owned(),
            status => format!("it ended with status {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_have_words() {
        let exit = |status, by_signal, result: &str, out_of_memory| {
            let result = result.to_owned();
            Exit { by_signal, status, result, out_of_memory }.words()
        };
        for (said, word) in [
            (exit(0, false, "success", false), "by itself"),
            (exit(1, false, "exit-code", false), "status 1"),
            (exit(126, false, "exit-code", false), "cannot be executed"),
            (exit(127, false, "exit-code", false), "no such command"),
            (exit(137, false, "exit-code", false), "SIGKILL, status 137), and not for"),
            (exit(137, false, "exit-code", true), "memory was used up"),
            (exit(143, false, "oom-kill", false), "memory was used up"),
            (exit(1, false, "exit-code", true), "status 1"),
            (exit(139, false, "exit-code", false), "crashed with SIGSEGV"),
            (exit(11, true, "signal", false), "crashed with SIGSEGV (status 139)"),
            (exit(15, true, "signal", false), "SIGTERM"),
            (exit(255, false, "exit-code", false), "status 255"),
        ] {
            assert!(said.contains(word), "{said}");
        }
    }
}
