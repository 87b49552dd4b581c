//! Opening a folder of state, and committing to it.

use super::file::{self, Line};
use super::journal::{Durable, Entry, Message, Writer};
use super::{Shared, State, Tx};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// The first id. It has as many digits as real ones, so that columns look as they do there.
const FIRST_ID: u64 = 100_000;
/// A journal is read whole at every start: beyond this many transactions a snapshot takes its place.
const SNAPSHOT_EVERY: u64 = 20_000;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the state {folder} cannot be {what}")]
    Io { folder: String, what: &'static str, source: io::Error },
    #[error("the state {folder} is in use by another emulator")]
    InUse { folder: String },
    #[error("{file} is damaged in line {line}: what comes after it was acknowledged and is lost")]
    Damaged { file: String, line: usize },
}

/// The tables with the way to disk.
pub(crate) struct Opened {
    pub state: State,
    sender: Sender<Message>,
    /// Transactions that were sent.
    sent: u64,
    since_snapshot: u64,
    /// Held as long as the emulator runs.
    _lock: File,
}

/// Opens or makes the folder. The receiver says how many transactions are safe.
///
/// # Errors
/// It cannot be read or written, another emulator has it, or it is damaged elsewhere than in a last
/// line that was cut off.
pub(crate) fn open(folder: &Path) -> Result<(Opened, Durable), StoreError> {
    let name = folder.display().to_string();
    let failed = |what| {
        let folder = name.clone();
        move |source| StoreError::Io { folder, what, source }
    };
    fs::create_dir_all(folder).map_err(failed("made"))?;
    let lock = OpenOptions::new().create(true).append(true).open(folder.join("lock"));
    let lock = lock.map_err(failed("locked"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(StoreError::InUse { folder: name }),
        Err(fs::TryLockError::Error(error)) => return Err(failed("locked")(error)),
    }
    let generation = newest(folder).map_err(failed("read"))?;
    let mut state = State { last_id: FIRST_ID, ..State::default() };
    if generation > 0 {
        let text = fs::read(folder.join(file::snapshot(generation))).map_err(failed("read"))?;
        let all = text.strip_suffix(b"\n").and_then(Line::read::<Entry>);
        let damaged = || StoreError::Damaged { file: file::snapshot(generation), line: 1 };
        apply(&mut state, all.ok_or_else(damaged)?);
    }
    let (file, entries) = replay(folder, generation, &mut state).map_err(|error| match error {
        Replay::Io(source) => failed("read")(source),
        Replay::Damaged(line) => StoreError::Damaged { file: file::journal(generation), line },
    })?;
    let writer = Writer { folder: folder.to_owned(), generation, file };
    let (sender, durable) = writer.start().map_err(failed("written"))?;
    let opened = Opened { state, sender, sent: 0, since_snapshot: entries, _lock: lock };
    Ok((opened, durable))
}

/// The highest snapshot that is whole; 0 when there is none.
fn newest(folder: &Path) -> io::Result<u64> {
    let mut newest = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|n| n.strip_prefix("snapshot.")?.parse().ok());
        newest = newest.max(number.unwrap_or(0));
    }
    Ok(newest)
}

enum Replay {
    Io(io::Error),
    Damaged(usize),
}

/// Applies the journal and opens it for more. A last line that is not whole was never acknowledged:
/// it is cut off.
fn replay(folder: &Path, generation: u64, state: &mut State) -> Result<(File, u64), Replay> {
    let path = folder.join(file::journal(generation));
    if !path.exists() {
        return Ok((file::create(folder, &file::journal(generation)).map_err(Replay::Io)?, 0));
    }
    let text = fs::read(&path).map_err(Replay::Io)?;
    let (mut whole, mut entries) = (0, 0);
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let entry = line.strip_suffix(b"\n").and_then(Line::read::<Entry>);
        match entry {
            Some(entry) => apply(state, entry),
            None if whole + line.len() == text.len() => break,
            None => return Err(Replay::Damaged(number + 1)),
        }
        whole += line.len();
        entries += 1;
    }
    let mut file = OpenOptions::new().write(true).open(&path).map_err(Replay::Io)?;
    file.set_len(whole as u64).map_err(Replay::Io)?;
    file.seek(SeekFrom::End(0)).map_err(Replay::Io)?;
    Ok((file, entries))
}

fn apply(state: &mut State, entry: Entry) {
    state.last_id = state.last_id.max(entry.last_id);
    for (kind, Shared(record)) in entry.put {
        state.set(kind, record.key(), Some(record));
    }
    for (kind, key) in entry.del {
        state.set(kind, key, None);
    }
}

impl Opened {
    /// Runs a transaction: all of it, or nothing when it fails. Returns what it answered, the number
    /// that [`Durable`] must reach before that may be said, and the jobs it added.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) fn transact<T, E>(
        &mut self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<(T, u64, Vec<u64>), E> {
        let mut tx = Tx::new(&mut self.state);
        let answer = match work(&mut tx) {
            Ok(answer) => answer,
            Err(error) => {
                tx.undo();
                return Err(error);
            }
        };
        let Some((entry, jobs)) = tx.entry() else { return Ok((answer, self.sent, Vec::new())) };
        self.sent += 1;
        self.since_snapshot += 1;
        // A writer that is gone has closed `Durable`, which whoever waits for it sees.
        let _ = self.sender.send(Message::Entry(Box::new(entry)));
        if self.since_snapshot >= SNAPSHOT_EVERY {
            self.since_snapshot = 0;
            let _ = self.sender.send(Message::Snapshot(Box::new(self.everything())));
        }
        Ok((answer, self.sent, jobs))
    }

    /// Transactions that were sent to disk.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    fn everything(&self) -> Entry {
        let tables = self.state.tables.iter();
        let put = tables
            .flat_map(|(kind, t)| t.values().map(|r| (*kind, Shared(Arc::clone(r)))))
            .collect();
        Entry { last_id: self.state.last_id, put, del: Vec::new() }
    }
}
