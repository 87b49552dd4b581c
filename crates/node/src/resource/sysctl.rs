//! Kernel parameters: live in /proc/sys, and in /etc/sysctl.d for the next boot.

use super::{Resource, Say};
use crate::diff::Diff;
use crate::disk;
use crate::failure::{Context, Failure, Result};
use crate::machine::Machine;
use andamio_manifest::Sysctl;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl Resource for Sysctl {
    async fn diff(&self, _: &mut Machine) -> Result<Diff> {
        let mut diff = Diff::default();
        diff.value(&self.key, live(self)?, words(&self.value));
        let file = disk::read(&file(self))?;
        let file = file.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if file.as_deref() != Some(line(self).as_str()) {
            let file = file.unwrap_or_default();
            diff.text(&file, &line(self));
        }
        Ok(diff)
    }

    async fn make(&self, _: &mut Machine, _: &Say) -> Result<String> {
        disk::write(&file(self), line(self).as_bytes(), 0o644)?;
        if without_ipv6(self) {
            return Ok(String::new());
        }
        let path = path(self);
        let written = fs::write(&path, &self.value);
        let Err(error) = written else { return Ok(String::new()) };
        let container =
            matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied);
        if container && live(self)? == words(&self.value) {
            return Ok(format!("{} is read-only here, and is {} already", self.key, self.value));
        }
        let remedy =
            if container { ": in a container it belongs to the host, set it there" } else { "" };
        Err(error).during(format!("setting {} to {}{remedy}", self.key, self.value))
    }

    fn doing(&self) -> String {
        format!("setting {}", self.key)
    }
}

/// `net.ipv4.ip_forward`; an interface with a dot is written with a slash, as sysctl(8) does.
fn path(declared: &Sysctl) -> PathBuf {
    let swapped: String = declared
        .key
        .chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            c => c,
        })
        .collect();
    PathBuf::from("/proc/sys").join(swapped.trim_start_matches(['/', '.']))
}

fn file(declared: &Sysctl) -> PathBuf {
    PathBuf::from(format!("/etc/sysctl.d/60-andamio-{}.conf", declared.key.replace('/', ".")))
}

fn line(declared: &Sysctl) -> String {
    format!("{} = {}\n", declared.key, declared.value)
}

/// A host that was booted without IPv6 has none of its parameters, and nothing that they could close.
fn without_ipv6(declared: &Sysctl) -> bool {
    declared.key.starts_with("net.ipv6.") && !Path::new("/proc/sys/net/ipv6/conf/all").exists()
}

fn live(declared: &Sysctl) -> Result<String> {
    if without_ipv6(declared) {
        return Ok(words(&declared.value));
    }
    let path = path(declared);
    let inside = !declared.key.contains("..") && !declared.key.contains("//");
    match fs::read_to_string(&path) {
        Ok(text) if inside => Ok(words(&text)),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).during(format!("reading {}", path.display()))
        }
        _ => Err(Failure::new(format!("this kernel has no parameter {}", declared.key))),
    }
}

/// The kernel separates the numbers of one value by tabs.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_files() {
        let sysctl = Sysctl { key: "net.ipv4.conf.eth0/1.rp_filter".into(), value: "1".into() };
        assert_eq!(path(&sysctl), PathBuf::from("/proc/sys/net/ipv4/conf/eth0.1/rp_filter"));
        assert_eq!(words("4096\t131072\t6291456\n"), "4096 131072 6291456");
        let away = Sysctl { key: "../../etc/passwd".into(), value: "1".into() };
        assert!(live(&away).is_err());
    }
}
