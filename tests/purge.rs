//! What an administrator, a script or another tool removes: one `up` brings it back, the plan after it is empty, and no
//! record is lost but those whose files were removed, which is asked about.

use andamio_testkit::Ended;

/// Group, and what is done to its first machine as root.
type Case<'a> = (&'a str, &'a str);

pub(crate) const PURGE: &str = "dpkg --purge --force-depends";

/// Packages of each role, and of what they stand on.
const PACKAGES: &[(&str, &[&str])] = &[
    (
        "redis",
        &[
            "redis-server",
            "redis-tools",
            "ca-certificates",
            "logrotate",
            "nftables",
            "systemd-timesyncd",
            "unattended-upgrades",
        ],
    ),
    ("mariadb", &["mariadb-server", "mariadb-backup", "mariadb-server-core", "mariadb-client"]),
    ("rabbitmq", &["rabbitmq-server", "erlang-base", "erlang-crypto"]),
    ("app", &["podman", "crun", "netavark", "conmon"]),
    ("balancer", &["haproxy"]),
    ("ops", &["buildah"]),
];

/// Files, folders, accounts and units of them, and packages that dpkg was killed at.
const PARTS: &[Case<'static>] = &[
    ("mariadb", "rm /usr/sbin/mariadbd /usr/share/mariadb/english/errmsg.sys"),
    ("mariadb", "rm -rf /etc/mysql"),
    ("mariadb", "rm /usr/lib/systemd/system/mariadb.service; systemctl daemon-reload"),
    ("mariadb", "systemctl mask --now mariadb.service"),
    ("mariadb", "systemctl stop mariadb.service; userdel mysql"),
    (
        "mariadb",
        "sed -i '/^Package: mariadb-server$/,/^$/s/^Status: .*/Status: install ok half-configured/' /var/lib/dpkg/status",
    ),
    ("redis", "rm -rf /etc/redis /var/log/redis"),
    ("redis", "systemctl stop 'redis-server@*'; userdel redis"),
    ("redis", "rm /usr/lib/systemd/system/redis-server@.service; systemctl daemon-reload"),
    (
        "redis",
        "sed -i '/^Package: redis-tools$/,/^$/s/^Status: .*/Status: install reinstreq half-installed/' /var/lib/dpkg/status",
    ),
    ("rabbitmq", "rm -rf /etc/rabbitmq"),
    ("rabbitmq", "rm -rf /var/log/rabbitmq; systemctl stop rabbitmq-server"),
    ("rabbitmq", "systemctl stop rabbitmq-server epmd.socket epmd; userdel rabbitmq; userdel epmd"),
    ("app", "rm -rf /etc/containers"),
    ("app", "rm /usr/bin/podman"),
    ("balancer", "rm -rf /etc/haproxy"),
    ("balancer", "systemctl stop haproxy; userdel haproxy"),
];

/// Data that is gone: asked about.
const EMPTIED: &[Case<'static>] = &[
    ("redis", "systemctl stop 'redis-server@*'; find /var/lib/redis -mindepth 1 -delete"),
    ("rabbitmq", "systemctl stop rabbitmq-server; find /var/lib/rabbitmq -mindepth 1 -delete"),
    ("mariadb", "systemctl stop mariadb; find /var/lib/mysql -mindepth 1 -delete"),
];

/// An environment that is broken and brought back.
pub(crate) trait Broken {
    fn run(&self, words: &[&str]) -> Ended;
    fn env(&self) -> &str;
}

/// Some of each kind, for the short run.
pub(crate) fn some(broken: &impl Broken) {
    let cases = [
        ("rabbitmq", "dpkg --purge --force-depends rabbitmq-server"),
        ("redis", "dpkg --purge --force-depends redis-tools"),
        (
            "mariadb",
            "rm -rf /etc/mysql; systemctl stop mariadb; userdel mysql; rm /usr/sbin/mariadbd",
        ),
    ];
    for (group, line) in cases {
        let _ = one(broken, group, line);
    }
    let _ = emptied(broken, EMPTIED[2]);
}

/// All of those whose groups the environment has. Seconds of `up` by what was done; answers what failed.
pub(crate) fn figures(
    broken: &impl Broken,
    groups: &[&str],
    seconds: &mut serde_json::Map<String, serde_json::Value>,
) -> Vec<String> {
    let mut failures = Vec::new();
    let purges = PACKAGES.iter().flat_map(|(group, names)| {
        names.iter().map(move |name| (*group, format!("{PURGE} {name}"), false))
    });
    let parts = PARTS.iter().map(|(group, line)| (*group, (*line).to_owned(), false));
    let emptied = EMPTIED.iter().map(|(group, line)| (*group, (*line).to_owned(), true));
    let all = purges.chain(parts).chain(emptied);
    for (group, line, data) in all.filter(|(group, ..)| groups.contains(group)) {
        let work =
            || if data { self::emptied(broken, (group, &line)) } else { one(broken, group, &line) };
        let title = format!("{group}-1: {line}");
        match attempt(work) {
            Ok(took) => drop(seconds.insert(title, took.into())),
            Err(why) => failures.push(why),
        }
    }
    failures
}

/// A failure of one is no reason not to try the next.
fn attempt(work: impl FnOnce() -> u64) -> Result<u64, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).map_err(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default()
    })
}

pub(crate) fn one(broken: &impl Broken, group: &str, line: &str) -> u64 {
    let env = broken.env();
    hurt(broken, group, line);
    let begin = std::time::Instant::now();
    let ended = broken.run(&["up", env, "-y", "--json"]);
    assert_eq!(ended.code, Some(0), "{group}, {line}: {ended}");
    let seconds = begin.elapsed().as_secs();
    let result = ended.lines().pop().unwrap();
    assert!(result["changed"].as_u64() > Some(0), "{group}, {line} was not noticed: {result}");
    let plan = broken.run(&["plan", env, "--json"]).expect(0).json();
    assert_eq!(plan["empty"], true, "{group}, {line}: {plan}");
    let status = broken.run(&["status", env, "--json"]).expect(0).json();
    assert_eq!(status["healthy"], true, "{group}, {line}: {status}");
    seconds
}

/// Without a yes nothing is begun anew.
fn emptied(broken: &impl Broken, (group, line): Case<'_>) -> u64 {
    let env = broken.env();
    hurt(broken, group, line);
    let plan = broken.run(&["plan", env, "--json"]).expect(0).json();
    assert!(plan["notes"].to_string().contains("is gone"), "{group}: {plan}");
    let refused = broken.run(&["up", env]).expect(3);
    assert!(refused.stderr.contains("is gone"), "{group}: {refused}");
    one(broken, group, "true")
}

/// What the line says about itself is of no interest: a package that is not there is one that is gone.
fn hurt(broken: &impl Broken, group: &str, line: &str) {
    let machine = format!("{group}-1");
    let line = format!("{{ {line}; }} >/dev/null 2>&1 </dev/null; true");
    let _ = broken.run(&["exec", broken.env(), &machine, "--", &line]).expect(0);
}
