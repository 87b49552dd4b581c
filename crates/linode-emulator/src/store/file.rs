//! Names and lines of the state's files: `snapshot.N` is everything at one moment, `journal.N` what
//! came after it. A line is sixteen hex digits of the SHA-256 of its JSON, a blank, and the JSON.

use super::journal::Entry;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const DIGITS: usize = 16;
/// Root passwords are not kept, but user data and TLS keys are.
const MODE: u32 = 0o600;

pub(super) struct Line;

impl Line {
    pub(super) fn write(out: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_vec(value)?;
        out.extend(digest(&json).as_bytes());
        out.push(b' ');
        out.extend(json);
        out.push(b'\n');
        Ok(())
    }

    /// `None` when it is not whole.
    pub(super) fn read<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
        let (sum, json) = line.split_at_checked(DIGITS)?;
        let json = json.strip_prefix(b" ")?;
        if digest(json).as_bytes() == sum { serde_json::from_slice(json).ok() } else { None }
    }
}

fn digest(json: &[u8]) -> String {
    hex::encode(&Sha256::digest(json)[..DIGITS / 2])
}

pub(super) fn journal(generation: u64) -> String {
    format!("journal.{generation}")
}

pub(super) fn snapshot(generation: u64) -> String {
    format!("snapshot.{generation}")
}

/// An empty file whose name lasts.
pub(super) fn create(folder: &Path, name: &str) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(MODE)
        .open(folder.join(name))?;
    sync(folder)?;
    Ok(file)
}

pub(super) fn write_snapshot(folder: &Path, generation: u64, all: &Entry) -> io::Result<()> {
    let name = snapshot(generation);
    let new = format!("{name}.new");
    let mut line = Vec::new();
    Line::write(&mut line, all)?;
    let mut file = create(folder, &new)?;
    file.write_all(&line)?;
    file.sync_data()?;
    fs::rename(folder.join(new), folder.join(name))?;
    sync(folder)
}

/// What a newer snapshot replaces. Failing leaves a file that nobody reads.
pub(super) fn remove(folder: &Path, generation: u64) {
    for name in [journal(generation), snapshot(generation)] {
        let _ = fs::remove_file(folder.join(name));
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
