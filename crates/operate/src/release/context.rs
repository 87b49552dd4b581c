//! The build context: the source folder as it is, without what its ignore file names, and the prepared
//! files, as one archive. What is left out is not read.

use super::archive::{Archive, Facts, Kind};
use super::containerfile::from_target;
use super::ignore::{BadPattern, Ignore};
use crate::{Failure, Kind as Status};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Most bytes a context may have: it travels over SSH and is read into memory.
const LIMIT: u64 = 512 << 20;
/// Holds the keys of a state wherever it lies, so that it is never sent.
const STATE: &str = ".andamio";

/// What buildah gets, and how it is named.
pub struct Context {
    /// A tar archive: `Containerfile`, `ignore`, `context/` and, where the Containerfile takes from it, `target/`.
    pub archive: Vec<u8>,
    /// Names the content: equal for equal files, wherever and whenever they were made.
    pub digest: String,
    /// The Containerfile takes from the build context `target`.
    pub takes_target: bool,
    /// Files that the Containerfile wants and that are not there yet.
    pub unprepared: Vec<PathBuf>,
    /// For a person who misses a file: the ignore file's name, and what it says.
    pub ignore: Option<(String, Ignore)>,
}

/// The Containerfile of a source folder, by its own name; a link counts as what it leads to.
///
/// # Errors
/// When there is none.
pub(super) fn containerfile(source: &Path) -> Result<&'static str, Failure> {
    let names = ["Containerfile", "Dockerfile"];
    names.into_iter().find(|name| source.join(name).exists()).ok_or_else(|| {
        let is_link = |name: &&str| source.join(name).symlink_metadata().is_ok();
        let what = match names.into_iter().find(is_link) {
            Some(name) => format!("{} is a link to nothing", source.join(name).display()),
            None => format!("{} has no Containerfile", source.display()),
        };
        let help = "write one, or correct `source` in andamio.toml";
        Failure::new(Status::Failed, "containerfile", what, help)
    })
}

impl Context {
    /// `private`: files and folders that no image may have, wherever they lie.
    ///
    /// # Errors
    /// When the folder or its ignore file cannot be read or used, or is too large.
    pub fn read(source: &Path, target: &Path, private: &[PathBuf]) -> Result<Self, Failure> {
        let name = containerfile(source)?;
        let instructions = fs::read(source.join(name)).map_err(|e| unreadable(source, &e))?;
        let file = ignore_file(source, name).map_err(|e| unreadable(source, &e))?;
        let (ignore_name, ignore_text) = file.unwrap_or_default();
        let ignore = Ignore::parse(&ignore_text).map_err(|e| unusable(&ignore_name, &e))?;
        let is = |path: &PathBuf| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
        let private: Vec<(u64, u64)> = private.iter().filter_map(is).collect();
        let mut walk = Walk { ignore: &ignore, private: &private, entries: Vec::new() };
        walk.folder(source, b"").map_err(|e| unreadable(source, &e))?;
        walk.check_size(source, &ignore_name)?;

        let mut pack = Pack::default();
        let plain = Facts { kind: Kind::File, mode: 0o644, modified: 0 };
        pack.add(b"Containerfile", plain, &instructions);
        // It decides what is in; what it says beyond that names no release.
        pack.archive.add(b"ignore", plain, &ignore_text);
        pack.root(b"context");
        for entry in &walk.entries {
            pack.entry(b"context/", entry).map_err(|e| unreadable(source, &e))?;
        }
        let wanted = from_target(&String::from_utf8_lossy(&instructions));
        let mut unprepared = Vec::new();
        if !wanted.is_empty() {
            pack.root(b"target");
        }
        for path in &wanted {
            match prepared(target, path) {
                Ok(entries) => {
                    for entry in &entries {
                        pack.entry(b"target/", entry).map_err(|e| unreadable(target, &e))?;
                    }
                }
                Err(_) => unprepared.push(target.join(path)),
            }
        }
        Ok(Self {
            digest: hex::encode(&pack.hash.finalize()[..6]),
            archive: pack.archive.end(),
            takes_target: !wanted.is_empty(),
            unprepared,
            ignore: (!ignore_name.is_empty()).then_some((ignore_name, ignore)),
        })
    }
}

/// Which ignore file counts is buildah's order; one beside the Containerfile comes first.
fn ignore_file(source: &Path, containerfile: &str) -> io::Result<Option<(String, Vec<u8>)>> {
    for name in [
        format!("{containerfile}.dockerignore"),
        format!("{containerfile}.containerignore"),
        ".containerignore".to_owned(),
        ".dockerignore".to_owned(),
    ] {
        match fs::read(source.join(&name)) {
            Ok(content) => return Ok(Some((name, content))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(None)
}

struct Entry {
    /// Relative to the context.
    name: Vec<u8>,
    path: PathBuf,
    facts: Facts,
    size: u64,
    /// Only there because something below it is: its own facts do not get into an image.
    implied: bool,
}

struct Walk<'a> {
    ignore: &'a Ignore,
    private: &'a [(u64, u64)],
    entries: Vec<Entry>,
}

impl Walk<'_> {
    /// Folder by folder, each in the order of its names: tar sets a folder's time when it has left it.
    fn folder(&mut self, folder: &Path, prefix: &[u8]) -> io::Result<()> {
        let mut names = fs::read_dir(folder)?
            .map(|entry| entry.map(|e| e.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        for own in names {
            let path = folder.join(&own);
            let name = [prefix, own.as_bytes()].concat();
            let out = self.ignore.keeps_out(&name).is_some();
            if own == STATE || out && !self.ignore.may_bring_back_below(&name) {
                continue;
            }
            let meta = fs::symlink_metadata(&path)?;
            if self.private.contains(&(meta.dev(), meta.ino())) || meta.file_type().is_socket() {
                continue;
            }
            if meta.is_dir() {
                let before = self.entries.len();
                self.entries.push(entry(name.clone(), path.clone(), &meta, out)?);
                self.folder(&path, &[&name, &b"/"[..]].concat())?;
                if out && self.entries.len() == before + 1 {
                    self.entries.truncate(before);
                }
            } else if !out {
                self.entries.push(entry(name, path, &meta, false)?);
            }
        }
        Ok(())
    }

    fn check_size(&self, source: &Path, ignore: &str) -> Result<(), Failure> {
        let mut tops: BTreeMap<&[u8], u64> = BTreeMap::new();
        for entry in &self.entries {
            let top = entry.name.split(|&byte| byte == b'/').next().unwrap_or_default();
            *tops.entry(top).or_default() += entry.size;
        }
        if tops.values().sum::<u64>() <= LIMIT {
            return Ok(());
        }
        let mut tops: Vec<(u64, &[u8])> =
            tops.into_iter().map(|(name, size)| (size, name)).collect();
        tops.sort_by(|a, b| b.cmp(a));
        let show = |(size, name): &(u64, &[u8])| {
            format!("{} {} MiB", String::from_utf8_lossy(name), size >> 20)
        };
        let largest: Vec<String> = tops.iter().take(3).map(show).collect();
        Err(Failure::new(
            Status::Failed,
            "context-size",
            format!(
                "{} is larger than {} MiB, most of it in {}",
                source.display(),
                LIMIT >> 20,
                largest.join(", ")
            ),
            &format!(
                "list what the image does not need in {}",
                if ignore.is_empty() { ".containerignore" } else { ignore }
            ),
        ))
    }
}

fn entry(name: Vec<u8>, path: PathBuf, meta: &Metadata, implied: bool) -> io::Result<Entry> {
    let kind = match meta.file_type() {
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_file() => Kind::File,
        kind if kind.is_symlink() => Kind::Link,
        kind if kind.is_fifo() => Kind::Pipe,
        _ => {
            let why = format!("{} is a device, which no image can have", path.display());
            return Err(io::Error::other(why));
        }
    };
    let mode = if implied { 0o755 } else { meta.mode() & 0o7777 };
    let size = if kind == Kind::File { meta.len() } else { 0 };
    let facts = Facts { kind, mode, modified: meta.mtime() };
    Ok(Entry { name, path, facts, size, implied })
}

/// A file, or a whole folder, of the build context `target`.
fn prepared(target: &Path, wanted: &str) -> io::Result<Vec<Entry>> {
    let path = target.join(wanted);
    let meta = fs::metadata(&path)?;
    let name = wanted.trim_matches('/').as_bytes().to_vec();
    let everything = Ignore::default();
    let mut walk = Walk { ignore: &everything, private: &[], entries: Vec::new() };
    if meta.is_dir() {
        walk.folder(&path, &[&name, &b"/"[..]].concat())?;
    }
    walk.entries.insert(0, entry(name, path, &meta, false)?);
    Ok(walk.entries)
}

#[derive(Default)]
struct Pack {
    archive: Archive,
    hash: Sha256,
}

impl Pack {
    /// What a context begins with. buildah takes what is in it, never the folder itself.
    fn root(&mut self, name: &[u8]) {
        self.archive.add(name, Facts { kind: Kind::Folder, mode: 0o755, modified: 0 }, &[]);
    }

    fn entry(&mut self, context: &[u8], entry: &Entry) -> io::Result<()> {
        let name = [context, &entry.name].concat();
        let body = match entry.facts.kind {
            Kind::File => fs::read(&entry.path)?,
            Kind::Link => fs::read_link(&entry.path)?.into_os_string().into_vec(),
            Kind::Folder | Kind::Pipe => Vec::new(),
        };
        if entry.implied {
            self.archive.add(&name, entry.facts, &body);
        } else {
            self.add(&name, entry.facts, &body);
        }
        Ok(())
    }

    /// Names, kinds, permissions, contents and targets name a release. Times do not: they are those of a clone,
    /// and one without changes is the same release. In an image they are as they were where it was built.
    fn add(&mut self, name: &[u8], facts: Facts, body: &[u8]) {
        for part in [name, body] {
            self.hash.update((part.len() as u64).to_le_bytes());
            self.hash.update(part);
        }
        self.hash.update([facts.kind.letter()]);
        if facts.kind != Kind::Link {
            self.hash.update(facts.mode.to_le_bytes());
        }
        self.archive.add(name, facts, body);
    }
}

fn unreadable(source: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Status::Failed,
        "context",
        format!("cannot read the application's folder {}: {error}", source.display()),
        "correct `source` in andamio.toml",
    )
}

fn unusable(name: &str, BadPattern(line): &BadPattern) -> Failure {
    Failure::new(
        Status::Failed,
        "ignore-file",
        format!("{name} has a line that is not a pattern: {line}"),
        "correct that line; a backslash takes the meaning from * ? [ ] + ( ) | { } ^ and \\",
    )
}

#[cfg(test)]
mod tests;
