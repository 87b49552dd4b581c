//! Why a process does not start, as far as its own last lines say so plainly. Pure.

/// Looks from the last line up: a program names at its end what ended it.
pub(crate) fn cause(lines: &[&str]) -> Option<String> {
    lines.iter().rev().find_map(|line| of(line))
}

fn of(line: &str) -> Option<String> {
    let low = line.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| low.contains(word));
    command(line, &low).or_else(|| {
        let denied = has(&["permission denied", "operation not permitted", "eacces", "eperm"]);
        if has(&["read-only file system", "erofs"]) {
            let what = path(line).map_or("its file system".to_owned(), |path| format!("`{path}`"));
            return Some(format!(
                "it writes to {what}, which is read-only: without `writable` only the paths of `files` and \
                 `tmpfs`, /tmp and /run can be written"
            ));
        }
        if let Some(port) = low_port(line).filter(|_| denied) {
            return Some(format!("it may not listen on port {port}: below 1024 is for root, and for who declares it as `port`"));
        }
        let wants_root = ["setuid", "setgid", "setgroups", "setresuid", "chown", "su-exec", "gosu", "runuser"];
        if (denied && has(&wants_root)) || has(&["run as root", "must be root", "requires root", "not running as root"]) {
            return Some("it wants to be root or to have its rights: see `user` and `capabilities`".to_owned());
        }
        if denied {
            return path(line).map(|path| format!("it may not use `{path}` (permission denied)"));
        }
        variable(line, &low)
            .map(|name| format!("the variable {name} is missing in its environment"))
            .or_else(|| reach(line, &low))
    })
}

/// What the container's runtime says of the command.
fn command(line: &str, low: &str) -> Option<String> {
    let named = || between(line, '`').or_else(|| between(line, '"')).unwrap_or("its command");
    if low.contains("exec format error") {
        return Some(
            "its program is made for another kind of processor, or is a script without `#!` (exec format error)"
                .to_owned(),
        );
    }
    if low.contains("missing dynamic library")
        || low.contains("error while loading shared libraries")
    {
        return Some(
            "its program is there, and a library or interpreter that it needs is not in the image"
                .to_owned(),
        );
    }
    let is_runtime = low.contains("crun: ") || low.contains("runc ") || low.contains("oci runtime");
    if is_runtime && (low.contains("not found") || low.contains("no such file")) {
        let name = named();
        let shell = matches!(name.rsplit('/').next(), Some("sh" | "bash" | "ash"));
        return Some(if shell {
            format!("the image has no shell (`{name}`): write the command as a list of words")
        } else {
            format!("the image has no command `{name}`")
        });
    }
    (is_runtime && low.contains("permission denied"))
        .then(|| format!("`{}` is not executable: set its x bit in the Containerfile", named()))
}

/// A variable that the program names itself, in capitals.
fn variable(line: &str, low: &str) -> Option<String> {
    const SAYS: &[&str] = &[
        "keyerror",
        "key not found",
        "environment variable",
        "env variable",
        "env var",
        "unbound variable",
        "parameter not set",
        "parameter null or not set",
    ];
    const MISSES: &[&str] = &[
        "not set",
        "unset",
        "missing",
        "required",
        "not found",
        "must be",
        "not defined",
        "undefined",
        "empty",
        "unbound",
        "keyerror",
        "null",
    ];
    let says = SAYS.iter().any(|word| low.contains(word));
    if !says || !MISSES.iter().any(|word| low.contains(word)) {
        return None;
    }
    let name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let mut names = words.filter(|word| {
        word.len() > 2
            && word.chars().all(name)
            && word.starts_with(|c: char| c.is_ascii_uppercase())
    });
    // The level that a line of a log begins with is none.
    names
        .find(|word| {
            !matches!(
                *word,
                "ERROR" | "FATAL" | "CRITICAL" | "WARN" | "WARNING" | "INFO" | "ENV" | "PANIC"
            )
        })
        .map(str::to_owned)
}

/// Others that it does not find or that refuse it.
fn reach(line: &str, low: &str) -> Option<String> {
    const NAMES: &[&str] = &[
        "name or service not known",
        "temporary failure in name resolution",
        "enotfound",
        "eai_again",
        "no such host",
        "getaddrinfo failed",
        "could not resolve",
        "could not translate host name",
        "nodename nor servname",
        "failed to lookup address",
        "unknownhostexception",
        "unknown mysql server host",
        "no address associated with hostname",
    ];
    const LOGIN: &[&str] = &[
        "access denied for user",
        "password authentication failed",
        "wrongpass",
        "noauth ",
        "access_refused",
    ];
    const REFUSED: &[&str] = &[
        "econnrefused",
        "connection refused",
        "can't connect to mysql",
        "can't connect to local",
        "could not connect to server",
    ];
    let has = |words: &[&str]| words.iter().any(|word| low.contains(word));
    if has(NAMES) {
        return Some("it cannot resolve a name that it connects to".to_owned());
    }
    if has(LOGIN) {
        return Some(
            "a service, most likely the database, refuses its name or password".to_owned(),
        );
    }
    has(REFUSED).then(|| match address(line) {
        Some(to) => format!("{to}, which it connects to, refuses the connection"),
        None => "a service that it connects to, most likely the database, refuses the connection"
            .to_owned(),
    })
}

/// The first absolute path in a line, without what stands around it.
fn path(line: &str) -> Option<&str> {
    let apart = |c: char| c.is_whitespace() || "'\"`()[]<>,;=".contains(c);
    let mut words = line.split(apart).map(|word| word.trim_end_matches([':', '.']));
    words.find(|word| word.len() > 1 && word.starts_with('/') && !word.starts_with("//"))
}

/// `host:port` in a line.
fn address(line: &str) -> Option<&str> {
    let apart = |c: char| c.is_whitespace() || "'\"`()<>,;=/@".contains(c);
    line.split(apart).map(|word| word.trim_end_matches([':', '.'])).find(|word| {
        let parts = word.rsplit_once(':');
        // Times of a log have no letters, and their numbers are short.
        parts.is_some_and(|(host, port)| {
            let is_host =
                host.contains('.') || host.starts_with("localhost") || host.ends_with(']');
            is_host && port.len() > 1 && port.parse::<u16>().is_ok()
        })
    })
}

/// A port below 1024 at the end of an address in a line.
fn low_port(line: &str) -> Option<u16> {
    let apart = |c: char| c.is_whitespace() || "'\"`()<>,;=/".contains(c);
    let words = line.split(apart).map(|word| word.trim_end_matches([':', '.']));
    let ports = words.filter_map(|word| {
        let (host, port) = word.rsplit_once(':')?;
        let is_host = host.is_empty()
            || host.contains('.')
            || host.ends_with([']', ':', '*'])
            || host == "localhost";
        port.parse::<u16>().ok().filter(|port| is_host && (1..1024).contains(port))
    });
    ports.into_iter().next()
}

fn between(line: &str, quote: char) -> Option<&str> {
    let (_, rest) = line.split_once(quote)?;
    rest.split_once(quote).map(|(inside, _)| inside).filter(|inside| !inside.is_empty())
}

#[cfg(test)]
mod tests;
