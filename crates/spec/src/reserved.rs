//! Names that are taken: what a file could call its own things by, and would change Andamio's with.

/// Variables that every process has from Andamio, or that a container cannot do without.
const VARIABLES: &[&str] = &[
    "DATABASE_URL",
    "REDIS_URL",
    "AMQP_URL",
    "DATABASE_CA",
    "REDIS_CA",
    "AMQP_CA",
    "PORT",
    "DRAIN_SECONDS",
    "TRUSTED_PROXIES",
    "PATH",
    "HOME",
];
/// Variables that are Andamio's, today's and later ones.
const PREFIX: &str = "ANDAMIO_";

/// What the names of its own passwords in the state begin with: under such a name it would hand one out.
const PASSWORDS: &[&str] = &["mariadb_", "redis_", "rabbitmq_"];

/// Does Andamio keep a password or a key of its own under such a name? Its keys have a hyphen in theirs,
/// which no variable has.
#[must_use]
pub fn is_own_secret(name: &str) -> bool {
    name.contains('-') || PASSWORDS.iter().any(|prefix| name.starts_with(prefix))
}

/// Does the name begin as those do that are Andamio's alone?
#[must_use]
pub fn is_own_prefix(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Does Andamio give this variable to processes itself?
#[must_use]
pub fn is_own_variable(name: &str) -> bool {
    VARIABLES.contains(&name) || name.starts_with(PREFIX)
}

/// Folders of a container without which nothing in it starts, or which the kernel or podman fills. An empty
/// folder in their place would hide them.
const WHOLE: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/sbin",
];
/// Also nothing below these: they are the kernel's.
const BELOW: &[&str] = &["/dev", "/proc", "/sys"];
/// Where Andamio puts something into the container: neither these, nor what they are in, nor what is in them.
const OWN_PATHS: &[&str] = &["/etc/andamio", "/etc/ssl/andamio-authority.pem"];

/// What keeps a folder of the container from being kept by `files`.
#[must_use]
pub fn kept_path_problem(path: &str) -> Option<&'static str> {
    let inside = |folder: &str, path: &str| {
        path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    };
    if WHOLE.contains(&path) || BELOW.iter().any(|folder| inside(folder, path)) {
        return Some("is a folder of the system: an empty one would hide it from every process");
    }
    if OWN_PATHS.iter().any(|own| *own == path || inside(own, path) || inside(path, own)) {
        return Some("is where Andamio puts the authority that processes trust");
    }
    None
}

/// Units of a machine that are not the application's, as `PROJECT-PROCESS` would spell them.
const UNITS: &[&str] = &[
    "apt-daily",
    "apt-daily-upgrade",
    "console-getty",
    "container-getty",
    "cryptdisks-early",
    "debug-shell",
    "dpkg-db-backup",
    "e2scrub-all",
    "e2scrub-fail",
    "e2scrub-reap",
    "getty-static",
    "initrd-cleanup",
    "initrd-parse-etc",
    "initrd-switch-root",
    "initrd-udevadm-cleanup-db",
    "kmod-static-nodes",
    "man-db",
    "mariadb-extra",
    "netavark-dhcp-proxy",
    "netavark-firewalld-reload",
    "podman-auto-update",
    "podman-clean-transient",
    "podman-kube",
    "podman-restart",
    "quota-on",
    "quotaon-root",
    "rabbitmq-server",
    "rc-local",
    "redis-server",
    "serial-getty",
    "ssh-agent",
    "sshd-keygen",
    "sshd-unix-local",
    "system-update-cleanup",
    "unattended-upgrades",
    "user-runtime-dir",
    "x11-common",
];
/// Projects whose every unit could be one of the machine's, or become one with an update.
const PROJECTS: &[&str] = &["andamio", "systemd"];

/// The unit `PROJECT-PROCESS.service` belongs to the machine.
#[must_use]
pub fn is_own_unit(project: &str, process: &str) -> bool {
    PROJECTS.contains(&project) || UNITS.contains(&format!("{project}-{process}").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_beside_andamios_own_are_free() {
        for path in
            ["/data", "/etc/shop", "/etc/ssl/private", "/var/lib/shop", "/usr/share/shop", "/tmp"]
        {
            assert_eq!(kept_path_problem(path), None, "{path}");
        }
        for path in ["/etc", "/etc/ssl", "/etc/andamio/x", "/proc/1", "/usr", "/lib64", "/run"] {
            assert!(kept_path_problem(path).is_some(), "{path}");
        }
    }

    #[test]
    fn units_of_the_machine_are_taken() {
        assert!(is_own_unit("redis", "server") && is_own_unit("andamio", "firewall"));
        assert!(!is_own_unit("shop", "server") && !is_own_unit("redis", "web"));
    }
}
