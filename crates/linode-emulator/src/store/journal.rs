//! The journal: one line for each transaction, synced before it is acknowledged. A thread writes;
//! what arrives while it syncs is written together and shares the next sync.

use super::file::{self, Line};
use super::{Key, Kind, Shared};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use tokio::sync::watch;

/// A transaction on disk. Fields are added, never renamed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The last id that was given.
    pub last_id: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub put: Vec<(Kind, Shared)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub del: Vec<(Kind, Key)>,
}

pub(super) enum Message {
    Entry(Box<Entry>),
    /// Everything there is at this point of the series: from here on a new journal begins.
    Snapshot(Box<Entry>),
}

/// How many transactions are safe on disk; closed when writing has failed.
pub(crate) type Durable = watch::Receiver<u64>;

pub(super) struct Writer {
    pub(super) folder: PathBuf,
    pub(super) generation: u64,
    pub(super) file: File,
}

impl Writer {
    /// The thread ends when the sender is gone or writing fails.
    pub(super) fn start(mut self) -> io::Result<(Sender<Message>, Durable)> {
        let (sender, messages) = channel();
        let (written, durable) = watch::channel(0);
        thread::Builder::new().name("journal".to_owned()).spawn(move || {
            if let Err(error) = self.write_all(&messages, &written) {
                let _ = writeln!(io::stderr(), "the state cannot be written: {error}");
            }
        })?;
        Ok((sender, durable))
    }

    fn write_all(
        &mut self,
        messages: &Receiver<Message>,
        written: &watch::Sender<u64>,
    ) -> io::Result<()> {
        let (mut count, mut buffer) = (0, Vec::new());
        while let Ok(first) = messages.recv() {
            for message in std::iter::once(first).chain(messages.try_iter()) {
                match message {
                    Message::Entry(entry) => {
                        count += 1;
                        Line::write(&mut buffer, &*entry)?;
                    }
                    Message::Snapshot(all) => {
                        // The old journal must hold what comes before it, should this be cut off.
                        self.flush(&mut buffer)?;
                        self.begin(&all)?;
                    }
                }
            }
            self.flush(&mut buffer)?;
            written.send_replace(count);
        }
        Ok(())
    }

    fn flush(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        if !buffer.is_empty() {
            self.file.write_all(buffer)?;
            self.file.sync_data()?;
            buffer.clear();
        }
        Ok(())
    }

    /// The new journal exists before the snapshot that it continues, so that there is always one
    /// whole pair.
    fn begin(&mut self, all: &Entry) -> io::Result<()> {
        let next = self.generation + 1;
        let journal = file::create(&self.folder, &file::journal(next))?;
        file::write_snapshot(&self.folder, next, all)?;
        file::remove(&self.folder, self.generation);
        (self.file, self.generation) = (journal, next);
        Ok(())
    }
}
