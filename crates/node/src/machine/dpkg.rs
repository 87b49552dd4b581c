//! Packages, from dpkg's own status file: one read instead of a process per package.

use crate::failure::{Context, Result};
use std::collections::{BTreeSet, HashMap};
use std::fs;

const STATUS: &str = "/var/lib/dpkg/status";
/// Journal of a dpkg that is working or was interrupted.
const UPDATES: &str = "/var/lib/dpkg/updates";

/// What apt and dpkg hold while they work, in the order in which they take them.
pub(crate) const LOCKS: [&str; 3] =
    ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/cache/apt/archives/lock"];
/// The same while lists of a mirror are read.
pub(crate) const LISTS_LOCK: [&str; 1] = ["/var/lib/apt/lists/lock"];

/// Somebody works with dpkg right now: nothing is interrupted.
pub(crate) fn at_work() -> bool {
    holder(&LOCKS).is_some()
}

/// Who holds one of these locks, as `NAME (process N)`.
pub(crate) fn holder(locks: &[&str]) -> Option<String> {
    locks.iter().find_map(|file| {
        let file = fs::File::open(file).ok()?;
        let mut wanted = nix::libc::flock {
            l_type: nix::libc::F_WRLCK as i16,
            l_whence: nix::libc::SEEK_SET as i16,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_GETLK(&mut wanted)).ok()?;
        (wanted.l_type != nix::libc::F_UNLCK as i16).then(|| called(wanted.l_pid))
    })
}

/// A process by what was run: for a script that is the script.
fn called(pid: i32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    let mut words = words.split('\0').filter(|word| !word.is_empty());
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let program = words.next().map(base).unwrap_or_default();
    let is_shell = ["python", "perl", "sh", "bash", "dash"].iter().any(|s| program.starts_with(s));
    let script = words.find(|word| !word.starts_with('-')).filter(|_| is_shell).map(base);
    match script.unwrap_or(program) {
        name if name.is_empty() => format!("process {pid}"),
        name => format!("{name} (process {pid})"),
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entry {
    /// What the administrator wants: `install`, `hold`, `deinstall`, …
    want: String,
    /// dpkg was killed while it unpacked: only another installation helps.
    reinstall: bool,
    /// `installed`, `half-configured`, `config-files`, …
    state: String,
    architecture: String,
    /// Name of the source package, where it is another.
    source: String,
    /// The fields Pre-Depends and Depends.
    needs: String,
    provides: String,
}

#[derive(Debug, Default)]
pub(crate) struct Status {
    packages: HashMap<String, Entry>,
    /// Name of a virtual package → installed packages that provide it.
    provided: HashMap<String, Vec<String>>,
}

impl Status {
    pub(crate) fn read() -> Result<Self> {
        let text = fs::read(STATUS).during(format!("reading {STATUS}"))?;
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    /// Paragraphs of `Package:` and `Status:` fields; everything else is passed over.
    fn parse(text: &str) -> Self {
        let mut packages: HashMap<String, Entry> = HashMap::new();
        for paragraph in text.split("\n\n") {
            let Some((name, entry)) = Entry::parse(paragraph) else { continue };
            // A package of two architectures has two paragraphs: installed in one is installed.
            match packages.get(name) {
                Some(old) if old.state == "installed" => {}
                _ => drop(packages.insert(name.to_owned(), entry)),
            }
        }
        let mut provided: HashMap<String, Vec<String>> = HashMap::new();
        for (name, entry) in packages.iter().filter(|(_, e)| e.state == "installed") {
            for virtual_name in entry.provides.split(',').map(bare).filter(|n| !n.is_empty()) {
                provided.entry(virtual_name.to_owned()).or_default().push(name.clone());
            }
        }
        Self { packages, provided }
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.packages.get(name.split_once(':').map_or(name, |(name, _)| name))
    }

    pub(crate) fn installed(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|e| e.state == "installed")
    }

    /// Something of it is there: a package that was removed keeps only its configuration.
    pub(crate) fn present(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|e| !matches!(&*e.state, "not-installed" | "config-files"))
    }

    pub(crate) fn held(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|e| e.want == "hold")
    }

    /// `half-configured` and the like; `None` for a package dpkg does not know.
    pub(crate) fn state(&self, name: &str) -> Option<&str> {
        self.entry(name).map(|e| e.state.as_str())
    }

    /// Source package that an installed one was built from; `None` for what is not installed.
    pub(crate) fn source(&self, name: &str) -> Option<&str> {
        let (name, entry) =
            self.packages.get_key_value(name).filter(|(_, e)| e.state == "installed")?;
        Some(if entry.source.is_empty() { name } else { &entry.source })
    }

    pub(crate) fn architecture(&self, name: &str) -> &str {
        self.entry(name).map_or("", |entry| &entry.architecture)
    }

    /// These packages and all that they need and that is installed, in order of their names.
    pub(crate) fn needed_by<'a>(&'a self, names: &'a [String]) -> BTreeSet<&'a str> {
        let mut all: BTreeSet<&str> = BTreeSet::new();
        let mut next: Vec<&str> = names.iter().map(String::as_str).collect();
        while let Some(name) = next.pop() {
            let Some(entry) = self.packages.get(name).filter(|e| e.state == "installed") else {
                continue;
            };
            if all.insert(name) {
                next.extend(entry.clauses().flatten().flat_map(|name| self.real(name)));
            }
        }
        all
    }

    /// What of these, or of what they need, needs something that is not installed: package and what it lacks.
    pub(crate) fn lacking<'a>(&'a self, names: &'a [String]) -> Vec<(&'a str, &'a str)> {
        let mut lacking = Vec::new();
        for package in self.needed_by(names) {
            let clauses = self.entry(package).into_iter().flat_map(Entry::clauses);
            for clause in clauses {
                let is_there = clause.iter().any(|name| self.real(name).next().is_some());
                if let (false, Some(first)) = (is_there, clause.first()) {
                    lacking.push((package, *first));
                }
            }
        }
        lacking
    }

    /// The installed package of this name, or those that provide it.
    fn real<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let own = self.installed(name).then_some(name);
        let others = self.provided.get(name).into_iter().flatten().map(String::as_str);
        own.into_iter().chain(others)
    }

    /// Packages that are broken until they are installed again, in order of their names.
    pub(crate) fn broken(&self) -> Vec<String> {
        let broken = self.packages.iter().filter(|(_, entry)| entry.reinstall);
        let mut names: Vec<String> = broken.map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    /// A dpkg was killed and left packages between two states.
    pub(crate) fn interrupted(&self) -> bool {
        let journal = fs::read_dir(UPDATES).is_ok_and(|mut folder| folder.next().is_some());
        journal
            || self.packages.values().any(|e| {
                matches!(
                    &*e.state,
                    "unpacked"
                        | "half-installed"
                        | "half-configured"
                        | "triggers-awaited"
                        | "triggers-pending"
                )
            })
    }
}

impl Entry {
    /// A paragraph's package, by the fields that are asked for; others, and continued lines, are passed over.
    fn parse(paragraph: &str) -> Option<(&str, Self)> {
        let mut name = None;
        let mut entry = Self::default();
        for line in paragraph.lines() {
            let Some((field, value)) = line.split_once(": ") else { continue };
            let value = value.trim();
            match field {
                "Package" => name = Some(value),
                "Status" => {
                    let mut words = value.split_whitespace();
                    entry.want = words.next().unwrap_or_default().to_owned();
                    entry.reinstall = words.next() == Some("reinstreq");
                    entry.state = words.next().unwrap_or_default().to_owned();
                }
                "Architecture" => value.clone_into(&mut entry.architecture),
                "Source" => bare(value).clone_into(&mut entry.source),
                "Provides" => value.clone_into(&mut entry.provides),
                "Depends" | "Pre-Depends" => {
                    if !entry.needs.is_empty() {
                        entry.needs.push(',');
                    }
                    entry.needs.push_str(value);
                }
                _ => {}
            }
        }
        (!entry.state.is_empty()).then_some(())?;
        Some((name?, entry))
    }

    /// What it needs: of each of these one.
    fn clauses(&self) -> impl Iterator<Item = Vec<&str>> {
        let clauses = self.needs.split(',').filter(|clause| !clause.trim().is_empty());
        clauses.map(|clause| clause.split('|').map(bare).collect())
    }
}

/// A package's name without version and architecture: `erlang-base (>= 1:26) [amd64]`, `python3:any`.
fn bare(text: &str) -> &str {
    let name = text.trim().split([' ', '(', '[', '<']).next().unwrap_or_default();
    name.split_once(':').map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_a_lock_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lock");
        fs::write(&file, "").unwrap();
        let name = file.display().to_string();
        assert_eq!(holder(&[&name, "/none"]), None);
        // A lock of one's own is not seen, so somebody else has to take it.
        let script = "use Fcntl; open my $f, '+<', $ARGV[0] or die; \
                      my $l = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0); \
                      fcntl($f, F_SETLK, $l) or die; <STDIN>";
        let unattended = folder.path().join("unattended-upgrade");
        fs::write(&unattended, script).unwrap();
        let mut child = std::process::Command::new("perl")
            .args([&unattended, &file])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let begin = std::time::Instant::now();
        while holder(&[&name]).is_none() && begin.elapsed().as_secs() < 20 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let said = holder(&[&name]);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(said, Some(format!("unattended-upgrade (process {})", child.id())));
        assert_eq!(holder(&[&name]), None);
    }

    const TEXT: &str = "\
Package: redis-server
Status: install ok installed
Architecture: amd64
Description: store
 Status: not this one

Package: libc6
Status: hold ok installed
Architecture: amd64

Package: libc6
Status: deinstall ok config-files
Architecture: i386

Package: haproxy
Status: install ok half-configured

Package: jq
Status: install reinstreq half-installed

Package: gone
Status: deinstall ok config-files
";

    #[test]
    fn what_others_need_is_missed() {
        let text = "\
Package: rabbitmq-server
Status: install ok installed
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: adduser, erlang-base (>= 1:26) | erlang-base-hipe, python3:any, logger

Package: init-system-helpers
Status: install ok installed

Package: adduser
Status: install ok installed

Package: python3
Status: deinstall ok config-files

Package: bsdutils
Source: util-linux (2.41-5)
Status: install ok installed
Provides: logger (= 2.41), other

Package: erlang-base
Source: erlang
Status: purge ok not-installed
";
        let status = Status::parse(text);
        let names = ["rabbitmq-server".to_owned()];
        let needed: Vec<&str> = status.needed_by(&names).into_iter().collect();
        assert_eq!(needed, ["adduser", "bsdutils", "init-system-helpers", "rabbitmq-server"]);
        let lacking = status.lacking(&names);
        assert_eq!(lacking, [("rabbitmq-server", "erlang-base"), ("rabbitmq-server", "python3")]);
        assert_eq!(status.source("bsdutils"), Some("util-linux"));
        assert_eq!(status.source("erlang-base"), None);
    }

    #[test]
    fn reads_states() {
        let status = Status::parse(TEXT);
        assert!(status.installed("redis-server") && status.installed("redis-server:amd64"));
        assert!(status.installed("libc6") && status.held("libc6"));
        assert!(!status.installed("haproxy") && status.present("haproxy"));
        assert_eq!(status.state("haproxy"), Some("half-configured"));
        assert!(!status.present("gone") && !status.present("never"));
        assert!(status.interrupted());
        assert_eq!(status.broken(), ["jq"]);
    }
}
