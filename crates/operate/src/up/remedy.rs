//! What a person does about something that a machine could not make true. Pure.

use andamio_manifest::Cause;

/// What helps, with the environment and the machine filled in.
pub(super) fn remedy(cause: Option<Cause>, env: &str, machine: &str) -> String {
    let text = match cause {
        Some(Cause::PackageLock) => {
            "see what that process does (`andamio exec ENV MACHINE -- ps -ef`), wait for it or end it, then run the \
             same command again"
        }
        Some(Cause::PackageMirror) => {
            "see why MACHINE does not reach it (`andamio exec ENV MACHINE -- apt-get update`; its sources are in \
             /etc/apt), then run the same command again"
        }
        Some(Cause::DiskFull) => {
            "make room there (`andamio exec ENV MACHINE -- df -h` shows where), then run the same command again"
        }
        Some(Cause::ReadOnlyDisk) => {
            "find out why it cannot be written there (`andamio exec ENV MACHINE -- findmnt`; the kernel makes a \
             broken disk read-only), then run the same command again"
        }
        Some(Cause::PortTaken) => {
            "another program has the service's port (`andamio exec ENV MACHINE -- ss -ltnp` names it): stop it, \
             then run the same command again"
        }
        Some(Cause::ImageStore) => {
            "podman's store is damaged; `andamio exec ENV MACHINE -- podman system reset --force` empties it, and \
             the same command brings the image again"
        }
        Some(Cause::Dpkg) => {
            "see what dpkg wants (`andamio exec ENV MACHINE -- dpkg --audit`), then run the same command again"
        }
        Some(Cause::Application) => {
            "the last lines are the application's own (`andamio logs ENV --machine MACHINE` has all): mend it, its \
             command or its settings, then run the same command again"
        }
        Some(Cause::LockedOut) | None => {
            "see what it says with `andamio logs ENV --machine MACHINE`, then run the same command again"
        }
    };
    text.replace("ENV", env).replace("MACHINE", machine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_helps_and_where() {
        let text = remedy(Some(Cause::ReadOnlyDisk), "dev", "app-1");
        assert!(text.contains("`andamio exec dev app-1 -- findmnt`"), "{text}");
        let text = remedy(None, "dev", "app-1");
        assert!(text.contains("andamio logs dev --machine app-1"), "{text}");
    }
}
