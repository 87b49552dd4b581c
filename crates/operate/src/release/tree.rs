//! Which files of a folder go into the build context, and what is sent of each beside its content.

use super::archive::{Facts, Kind};
use super::ignore::Ignore;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Holds the keys of a state wherever it lies, so that it is never sent.
const STATE: &str = ".andamio";

pub(super) struct Entry {
    /// Relative to the context.
    pub(super) name: Vec<u8>,
    pub(super) path: PathBuf,
    pub(super) facts: Facts,
    pub(super) size: u64,
    /// Only there because something below it is: its own facts do not get into an image.
    pub(super) implied: bool,
}

pub(super) struct Walk<'a> {
    pub(super) ignore: &'a Ignore,
    /// Device and inode of what no image may have.
    pub(super) private: &'a [(u64, u64)],
    pub(super) entries: Vec<Entry>,
}

impl Walk<'_> {
    /// Folder by folder, each in the order of its names: tar sets a folder's time when it has left it.
    pub(super) fn folder(&mut self, folder: &Path, prefix: &[u8]) -> io::Result<()> {
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
pub(super) fn prepared(target: &Path, wanted: &str) -> io::Result<Vec<Entry>> {
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
