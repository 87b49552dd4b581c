//! Contents of objects. What is small is in the record itself, so that it shares the journal's sync;
//! else it is a file, under a name that nobody had before. A file is synced before a record names it,
//! and a record is gone from the disk before its file: what a record names is whole. Files that no
//! record names are removed at the start.

use super::content::Content;
use super::sums::{Summed, Sums};
use futures_util::{StreamExt, stream};
use hyper::body::Bytes;
use s3s::dto::StreamingBlob;
use s3s::{S3Result, s3_error};
use std::collections::HashSet;
use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// Bytes that a record holds at most. Locks and entries of a ledger are below it.
const SMALL: usize = 4096;
/// Objects are as private as the rest of the state.
const MODE: u32 = 0o600;

pub(super) struct Files {
    folder: PathBuf,
}

/// A content that no record has yet: its file, if there is one, goes when this does.
pub(super) struct New {
    path: Option<PathBuf>,
    name: String,
    data: Option<String>,
    size: u64,
    kept: bool,
}

impl New {
    /// In the record itself.
    fn small(data: Option<String>, size: u64) -> Self {
        Self { path: None, name: String::new(), data, size, kept: false }
    }

    pub(super) fn content(&self, described: Content) -> Content {
        Content {
            file: self.name.clone(),
            data: self.data.clone(),
            size: self.size,
            modified_ms: Content::now(),
            ..described
        }
    }

    /// A record names it. To be said in the transaction: whoever waits for its end may stop waiting,
    /// and then the record is there all the same.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for New {
    fn drop(&mut self) {
        if let Some(path) = self.path.as_deref().filter(|_| !self.kept) {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Files {
    /// The folder, without what is not `known`.
    pub(super) fn open(folder: &Path, known: &HashSet<String>) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| known.contains(name)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// What a client sends, with its sums; a file is safe on disk.
    pub(super) async fn write(
        &self,
        mut body: StreamingBlob,
        mut sums: Sums,
    ) -> S3Result<(New, Summed)> {
        let (mut small, mut large) = (Vec::new(), None);
        while let Some(chunk) = body.next().await {
            // The client is gone, or what it sends is not what it signed.
            let chunk = chunk.map_err(|error| s3_error!(IncompleteBody, "{error}"))?;
            sums.update(&chunk);
            if large.is_none() && small.len() + chunk.len() <= SMALL {
                small.extend_from_slice(&chunk);
                continue;
            }
            let (mut file, mut new) = match large.take() {
                Some(begun) => begun,
                None => self.create().await.map_err(failed)?,
            };
            for bytes in [&std::mem::take(&mut small)[..], &chunk] {
                file.write_all(bytes).await.map_err(failed)?;
                new.size += bytes.len() as u64;
            }
            large = Some((file, new));
        }
        let summed = sums.finish()?;
        let Some((file, new)) = large else {
            let (size, data) = (small.len() as u64, Some(hex::encode(small)));
            return Ok((New::small(data, size), summed));
        };
        self.sync(file).await.map_err(failed)?;
        Ok((new, summed))
    }

    /// Several contents in a row as one.
    pub(super) async fn join(&self, parts: &[Content]) -> S3Result<New> {
        let (mut file, mut new) = self.create().await.map_err(failed)?;
        for part in parts {
            if let Some(bytes) = part.bytes()? {
                file.write_all(&bytes).await.map_err(failed)?;
            } else {
                let mut part = File::open(self.folder.join(&part.file)).await.map_err(failed)?;
                tokio::io::copy(&mut part, &mut file).await.map_err(failed)?;
            }
            new.size += part.size;
        }
        self.sync(file).await.map_err(failed)?;
        Ok(new)
    }

    /// The same content for another object.
    pub(super) async fn link(&self, from: &Content) -> S3Result<New> {
        if from.data.is_some() {
            return Ok(New::small(from.data.clone(), from.size));
        }
        let mut new = self.new_name().map_err(failed)?;
        new.size = from.size;
        let to = new.path.clone().unwrap_or_default();
        fs::hard_link(self.folder.join(&from.file), to).await.map_err(failed)?;
        self.sync_folder().await.map_err(failed)?;
        Ok(new)
    }

    /// Some of its bytes. A file is opened here, so that removing the object does not cut it short.
    pub(super) async fn read(&self, from: &Content, range: Range<u64>) -> S3Result<StreamingBlob> {
        if let Some(bytes) = from.bytes()? {
            let place = |at| usize::try_from(at).unwrap_or(usize::MAX);
            let some = bytes.get(place(range.start)..place(range.end)).unwrap_or_default();
            return Ok(s3s::Body::from(Bytes::copy_from_slice(some)).into());
        }
        let mut file = File::open(self.folder.join(&from.file)).await.map_err(failed)?;
        file.seek(SeekFrom::Start(range.start)).await.map_err(failed)?;
        let left = range.end - range.start;
        let chunks = stream::try_unfold((file, left), |(mut file, left)| async move {
            let want = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
            if want == 0 {
                return Ok(None);
            }
            let mut chunk = vec![0; want];
            file.read_exact(&mut chunk).await?;
            Ok::<_, io::Error>(Some((Bytes::from(chunk), (file, left - want as u64))))
        });
        Ok(StreamingBlob::wrap(chunks))
    }

    /// Those that no record names any more. One that stays is removed at the next start.
    pub(super) async fn remove(&self, names: Vec<String>) {
        for name in names.iter().filter(|name| !name.is_empty()) {
            let _ = fs::remove_file(self.folder.join(name)).await;
        }
    }

    fn new_name(&self) -> io::Result<New> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let name = hex::encode(random);
        let path = Some(self.folder.join(&name));
        Ok(New { path, name, data: None, size: 0, kept: false })
    }

    async fn create(&self) -> io::Result<(File, New)> {
        let new = self.new_name()?;
        let path = self.folder.join(&new.name);
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path).await?;
        Ok((file, new))
    }

    async fn sync(&self, mut file: File) -> io::Result<()> {
        file.flush().await?;
        file.sync_data().await?;
        self.sync_folder().await
    }

    async fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder).await?.sync_all().await
    }
}

fn failed(error: io::Error) -> s3s::S3Error {
    s3_error!(error, InternalError, "The emulator's objects cannot be read or written")
}
