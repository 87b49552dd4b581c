//! What dpkg installed and is not there any more: files of packages, and packages that others need.

use crate::machine::dpkg::Status;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

const INFO: &str = "/var/lib/dpkg/info";
/// Left out of small images on purpose, and read by people only.
const PROSE: [&str; 7] = ["doc", "man", "locale", "info", "lintian", "bug", "doc-base"];
/// Where another package's files have to be for this one to work. MariaDB does not start without `/etc/mysql/conf.d`, which
/// is not its own.
const NEEDED: [&str; 7] =
    ["/etc/", "/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/libexec/", "/bin/", "/lib/"];

/// A package that does not have all that it installed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damaged {
    pub(super) package: String,
    /// The first of the missing files, and how many there are.
    pub(super) first: String,
    pub(super) count: usize,
}

/// Among the packages named and all that they need. `expected` says which missing files are meant to be missing.
pub(super) fn damaged(
    names: &[String],
    status: &Status,
    expected: impl Fn(&str) -> bool,
) -> Vec<Damaged> {
    let sources: BTreeSet<&str> = names.iter().filter_map(|name| status.source(name)).collect();
    let mut found = Vec::new();
    for package in status.needed_by(names) {
        // Parts of the same program are looked at whole, others where they are run.
        let whole = status.source(package).is_some_and(|source| sources.contains(source));
        let Some(list) = list(package, status.architecture(package)) else { continue };
        let mut missing = list
            .lines()
            .filter(|path| looked_at(path, whole) && !expected(path) && is_missing(path));
        if let Some(first) = missing.next() {
            found.push(Damaged {
                package: package.to_owned(),
                first: first.to_owned(),
                count: 1 + missing.count(),
            });
        }
    }
    found
}

fn list(package: &str, architecture: &str) -> Option<String> {
    let plain = Path::new(INFO).join(format!("{package}.list"));
    let shared = Path::new(INFO).join(format!("{package}:{architecture}.list"));
    let bytes = fs::read(plain).or_else(|_| fs::read(shared)).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn looked_at(path: &str, whole: bool) -> bool {
    if let Some(below) = path.strip_prefix("/usr/share/") {
        let folder = below.split('/').next().unwrap_or_default();
        return whole && !PROSE.contains(&folder);
    }
    whole || NEEDED.iter().any(|folder| path.starts_with(folder))
}

/// A folder of it is only asked about by what is in it.
fn is_missing(path: &str) -> bool {
    fs::symlink_metadata(path).is_err_and(|e| e.kind() == ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_not_missed() {
        assert!(looked_at("/etc/mysql/conf.d", false) && !looked_at("/var/lib/x", false));
        assert!(looked_at("/usr/share/mariadb/errmsg.sys", true));
        assert!(!looked_at("/usr/share/doc/redis-server/copyright", true));
        assert!(looked_at("/usr/lib/erlang/bin/erl", false));
    }
}
