//! The build context: the source folder as it is, without what its ignore file names, and the prepared
//! files, as one archive. What is left out is not read. It is read twice, once to name the release and once to
//! be sent, and never held in memory.

use super::archive::{Archive, Facts, Kind};
use super::ignore::{BadPattern, Ignore};
use super::tree::{Entry, Walk, prepared};
use crate::containerfile::{self, from_target};
use crate::{Failure, Kind as Status};
use andamio_spec::model::Build;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most bytes a context may have: more than that is a mistake, and would fill the builder's disk.
const LIMIT: u64 = 64 << 30;
/// Last in the archive: an operator that is killed in the middle looks like the end of the archive.
pub(super) const COMPLETE: &str = "complete";

/// What buildah gets, and how it is named.
pub struct Context {
    /// Names the content: equal for equal files, wherever and whenever they were made.
    pub digest: String,
    /// The Containerfile takes from the build context `target`.
    pub takes_target: bool,
    /// Files that the Containerfile wants and that are not there yet.
    pub unprepared: Vec<PathBuf>,
    /// For a person who misses a file: the ignore file's name, and what it says.
    pub ignore: Option<(String, Ignore)>,
    /// Text of the Containerfile.
    pub(crate) instructions: Vec<u8>,
    ignore_text: Vec<u8>,
    entries: Vec<Entry>,
    prepared: Vec<Entry>,
    /// What decides the image beside files.
    said: Vec<(String, String)>,
}

/// A file for the builder that is no part of the application: only root reads it, and it names no release.
pub struct Extra {
    pub name: String,
    pub content: Vec<u8>,
}

impl Context {
    /// `private`: files and folders that no image may have, wherever they lie.
    ///
    /// # Errors
    /// When the folder or its ignore file cannot be read or used, or is too large.
    pub fn read(
        source: &Path,
        build: &Build,
        target: &Path,
        private: &[PathBuf],
    ) -> Result<Self, Failure> {
        let name = containerfile::find(source, build)?;
        let instructions = fs::read(source.join(&name)).map_err(|e| unreadable(source, &e))?;
        let file = ignore_file(source, &name).map_err(|e| unreadable(source, &e))?;
        let (ignore_name, ignore_text) = file.unwrap_or_default();
        let ignore = Ignore::parse(&ignore_text).map_err(|e| unusable(&ignore_name, &e))?;
        let is = |path: &PathBuf| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
        let private: Vec<(u64, u64)> = private.iter().filter_map(is).collect();
        let mut walk = Walk { ignore: &ignore, private: &private, entries: Vec::new() };
        walk.folder(source, b"").map_err(|e| unreadable(source, &e))?;
        let entries = walk.entries;
        check_size(&entries, source, &ignore_name)?;

        let wanted = from_target(&String::from_utf8_lossy(&instructions));
        let (mut unprepared, mut ready) = (Vec::new(), Vec::new());
        for path in &wanted {
            match prepared(target, path) {
                Ok(entries) => ready.extend(entries),
                Err(_) => unprepared.push(target.join(path)),
            }
        }
        let args = build.args.iter().map(|(name, value)| (format!("arg {name}"), value.clone()));
        let stage = build.target.iter().map(|stage| ("target".to_owned(), stage.clone()));
        let mut context = Self {
            digest: String::new(),
            takes_target: !wanted.is_empty(),
            unprepared,
            ignore: (!ignore_name.is_empty()).then_some((ignore_name, ignore)),
            said: args.chain(stage).collect(),
            instructions,
            ignore_text,
            entries,
            prepared: ready,
        };
        let pass = context.pass(io::sink(), &[]).map_err(|e| unreadable(source, &e))?;
        context.digest = pass.1;
        Ok(context)
    }

    /// A tar archive: `Containerfile`, `ignore`, `context/`, where the Containerfile takes from it `target/`, what is
    /// `extra`, and `complete`.
    ///
    /// # Errors
    /// When it cannot be written, or a file is another than it was when the release got its name.
    pub fn write(&self, out: impl Write, extra: &[Extra]) -> io::Result<()> {
        let (mut archive, digest) = self.pass(out, extra)?;
        if digest != self.digest {
            return Err(io::Error::other("files changed while they were read"));
        }
        archive.file(COMPLETE.as_bytes(), PLAIN, 0, io::empty(), |_| {})?;
        archive.end()
    }

    fn pass<W: Write>(&self, out: W, extra: &[Extra]) -> io::Result<(Archive<W>, String)> {
        let mut pack = Pack { archive: Archive::new(out), hash: Sha256::new() };
        pack.file(b"Containerfile", PLAIN, self.instructions.len() as u64, &*self.instructions)?;
        // It decides what is in; what it says beyond that names no release.
        let ignore = &self.ignore_text;
        pack.archive.file(b"ignore", PLAIN, ignore.len() as u64, &**ignore, |_| {})?;
        pack.root(b"context")?;
        for entry in &self.entries {
            pack.entry(b"context/", entry)?;
        }
        if self.takes_target {
            pack.root(b"target")?;
        }
        for entry in &self.prepared {
            pack.entry(b"target/", entry)?;
        }
        for (name, value) in &self.said {
            pack.name(name.as_bytes(), value.len() as u64);
            pack.hash.update(value);
        }
        for Extra { name, content } in extra {
            let facts = Facts { mode: 0o600, ..PLAIN };
            let size = content.len() as u64;
            pack.archive.file(name.as_bytes(), facts, size, &**content, |_| {})?;
        }
        Ok((pack.archive, hex::encode(&pack.hash.finalize()[..6])))
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

const PLAIN: Facts = Facts { kind: Kind::File, mode: 0o644, modified: 0 };

struct Pack<W> {
    archive: Archive<W>,
    hash: Sha256,
}

impl<W: Write> Pack<W> {
    /// What a context begins with. buildah takes what is in it, never the folder itself.
    fn root(&mut self, name: &[u8]) -> io::Result<()> {
        self.archive.add(name, Facts { kind: Kind::Folder, mode: 0o755, modified: 0 }, &[])
    }

    fn entry(&mut self, context: &[u8], entry: &Entry) -> io::Result<()> {
        let name = [context, &entry.name].concat();
        let facts = entry.facts;
        match facts.kind {
            Kind::File => return self.file(&name, facts, entry.size, fs::File::open(&entry.path)?),
            _ if entry.implied => return self.archive.add(&name, facts, &[]),
            _ => {}
        }
        let target = match facts.kind {
            Kind::Link => fs::read_link(&entry.path)?.into_os_string().into_vec(),
            _ => Vec::new(),
        };
        self.name(&name, target.len() as u64);
        self.hash.update(&target);
        self.facts(facts);
        self.archive.add(&name, facts, &target)
    }

    fn file(
        &mut self,
        name: &[u8],
        facts: Facts,
        size: u64,
        content: impl io::Read,
    ) -> io::Result<()> {
        self.name(name, size);
        let hash = &mut self.hash;
        self.archive.file(name, facts, size, content, |piece| hash.update(piece))?;
        self.facts(facts);
        Ok(())
    }

    /// Names, kinds, permissions, contents and targets name a release. Times do not: they are those of a clone,
    /// and one without changes is the same release. In an image they are as they were where it was built.
    fn name(&mut self, name: &[u8], size: u64) {
        self.hash.update((name.len() as u64).to_le_bytes());
        self.hash.update(name);
        self.hash.update(size.to_le_bytes());
    }

    fn facts(&mut self, facts: Facts) {
        self.hash.update([facts.kind.letter()]);
        if facts.kind != Kind::Link {
            self.hash.update(facts.mode.to_le_bytes());
        }
    }
}

fn check_size(entries: &[Entry], source: &Path, ignore: &str) -> Result<(), Failure> {
    let mut tops: BTreeMap<&[u8], u64> = BTreeMap::new();
    for entry in entries {
        let top = entry.name.split(|&byte| byte == b'/').next().unwrap_or_default();
        *tops.entry(top).or_default() += entry.size;
    }
    if tops.values().sum::<u64>() <= LIMIT {
        return Ok(());
    }
    let mut tops: Vec<(u64, &[u8])> = tops.into_iter().map(|(name, size)| (size, name)).collect();
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
