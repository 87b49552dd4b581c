//! What a person does about something that a machine could not make true. Pure.

/// Words of a failure, and what helps. The first that is found counts; `ENV` and `MACHINE` are filled in.
const REMEDIES: [(&str, &str); 7] = [
    (
        "lock of apt and dpkg",
        "see what that process does (`andamio exec ENV MACHINE -- ps -ef`), wait for it or end it, then run the \
         same command again",
    ),
    (
        "package mirror",
        "see why MACHINE does not reach it (`andamio exec ENV MACHINE -- apt-get update`; its sources are in \
         /etc/apt), then run the same command again",
    ),
    (
        "No space left on device",
        "make room there (`andamio exec ENV MACHINE -- df -h` shows where), then run the same command again",
    ),
    (
        "Read-only file system",
        "find out why it cannot be written there (`andamio exec ENV MACHINE -- findmnt`; the kernel makes a \
         broken disk read-only), then run the same command again",
    ),
    (
        "ddress already in use",
        "another program has the service's port (`andamio exec ENV MACHINE -- ss -ltnp` names it): stop it, \
         then run the same command again",
    ),
    (
        "images.json",
        "podman's store is damaged; `andamio exec ENV MACHINE -- podman system reset --force` empties it, and \
         the same command brings the image again",
    ),
    (
        "dpkg",
        "see what dpkg wants (`andamio exec ENV MACHINE -- dpkg --audit`), then run the same command again",
    ),
];
const OTHERWISE: &str =
    "see what it says with `andamio logs ENV --machine MACHINE`, then run the same command again";

pub(super) fn remedy(failure: &str, env: &str, machine: &str) -> String {
    let found = REMEDIES.iter().find(|(words, _)| failure.contains(words));
    let text = found.map_or(OTHERWISE, |(_, text)| *text);
    text.replace("ENV", env).replace("MACHINE", machine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_helps_and_where() {
        let text =
            remedy("writing /etc/hosts: Read-only file system (os error 30)", "dev", "app-1");
        assert!(text.contains("`andamio exec dev app-1 -- findmnt`"), "{text}");
        let text = remedy("it was changed and still differs", "dev", "app-1");
        assert!(text.contains("andamio logs dev --machine app-1"), "{text}");
    }
}
