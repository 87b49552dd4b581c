use super::*;

/// Lines as programs of many kinds write them, and what has to be in the answer; empty for none.
const SAID: &[(&str, &str)] = &[
    (
        "Error: crun: executable file `nope` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found",
        "no command `nope`",
    ),
    (
        "Error: crun: executable file `/bin/sh` not found: No such file or directory: OCI runtime attempted to invoke a command that was not found",
        "no shell",
    ),
    (
        "{\"msg\":\"exec container process `/usr/bin/web`: Exec format error\",\"level\":\"error\"}",
        "another kind of processor",
    ),
    ("Error: crun: open executable: Permission denied: OCI permission denied", "not executable"),
    (
        "exec container process (missing dynamic library?) `/usr/bin/web`: No such file or directory",
        "library",
    ),
    (
        "/app/web: error while loading shared libraries: libpq.so.5: cannot open shared object file",
        "library",
    ),
    ("cannot write /app/tmp/pids/server.pid: Read-only file system", "`/app/tmp/pids/server.pid`"),
    ("OSError: [Errno 30] Read-only file system: '/srv/cache'", "`/srv/cache`"),
    ("Error: EROFS: read-only file system, open '/usr/src/app/log.txt'", "`/usr/src/app/log.txt`"),
    ("mkdir: cannot create directory '/data': Permission denied", "not use `/data`"),
    (
        "nginx: [emerg] mkdir() \"/var/cache/nginx/client_temp\" failed (13: Permission denied)",
        "`/var/cache/nginx/client_temp`",
    ),
    ("2026/12/01 03:00:00 listen tcp 0.0.0.0:80: bind: permission denied", "port 80"),
    ("nginx: [emerg] bind() to 0.0.0.0:443 failed (13: Permission denied)", "port 443"),
    ("Error: listen EACCES: permission denied 0.0.0.0:80", "port 80"),
    ("listen tcp :80: bind: permission denied", "port 80"),
    ("nginx: [emerg] setgid(101) failed (1: Operation not permitted)", "be root"),
    ("chown: changing ownership of '/data': Operation not permitted", "be root"),
    ("This program must be run as root", "be root"),
    ("KeyError: 'DATABASE_HOST'", "DATABASE_HOST"),
    ("KeyError: 'user'", ""),
    ("key not found: \"SECRET_KEY_BASE\" (KeyError)", "SECRET_KEY_BASE"),
    ("ERROR: environment variable API_TOKEN is not set", "API_TOKEN"),
    ("/entry.sh: line 3: MAIL_HOST: unbound variable", "MAIL_HOST"),
    ("panic: required env var PGHOST is missing", "PGHOST"),
    ("Error: getaddrinfo ENOTFOUND db", "resolve a name"),
    ("dial tcp: lookup db on 198.18.2.1:53: no such host", "resolve a name"),
    ("java.net.UnknownHostException: db", "resolve a name"),
    ("Error: connect ECONNREFUSED 127.0.0.1:5432", "127.0.0.1:5432"),
    ("dial tcp 198.18.2.30:3306: connect: connection refused", "198.18.2.30:3306"),
    ("ERROR 2002 (HY000): Can't connect to MySQL server on 'db' (115)", "refuses the connection"),
    ("FATAL: password authentication failed for user \"app\"", "name or password"),
    ("listening on 0.0.0.0:8080", ""),
    ("GET / 200 03:00:10", ""),
    ("", ""),
];

#[test]
fn lines_of_many_programs_are_understood() {
    for (line, wanted) in SAID {
        let said = of(line);
        match *wanted {
            "" => assert_eq!(said, None, "{line}"),
            wanted => {
                let said = said.unwrap_or_else(|| panic!("nothing of {line}"));
                assert!(said.contains(wanted), "{line}: {said}");
            }
        }
    }
}

#[test]
fn the_last_word_counts() {
    let lines = [
        "KeyError: 'EARLY_ONE'",
        "cannot write /x: Read-only file system",
        "    at main (app.js:3)",
    ];
    assert!(cause(&lines).is_some_and(|cause| cause.contains("`/x`")));
    assert_eq!(cause(&[]), None);
}

proptest::proptest! {
    #[test]
    fn any_line_is_read(line: String, words in "[ -~]{0,60}(KeyError|refused|denied|ENOTFOUND)[ -~:/.`]{0,60}") {
        let _ = (of(&line), of(&words));
    }
}
