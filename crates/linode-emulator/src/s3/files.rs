//! Contents of objects: a file each, under a name that nobody had before. A file is synced before a
//! record names it, and a record is gone from the disk before its file: what a record names is whole.
//! Files that no record names are removed at the start.

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
/// Objects are as private as the rest of the state.
const MODE: u32 = 0o600;

pub(super) struct Files {
    folder: PathBuf,
}

/// A file that no record names yet: it goes when this does.
pub(super) struct New {
    path: PathBuf,
    pub name: String,
    pub size: u64,
    kept: bool,
}

impl New {
    /// A record names it. To be said in the transaction: whoever waits for its end may stop waiting,
    /// and then the record is there all the same.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for New {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
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

    /// What a client sends, safe on disk, with its sums.
    pub(super) async fn write(
        &self,
        mut body: StreamingBlob,
        mut sums: Sums,
    ) -> S3Result<(New, Summed)> {
        let (mut file, mut new) = self.create().await.map_err(failed)?;
        while let Some(chunk) = body.next().await {
            // The client is gone, or what it sends is not what it signed.
            let chunk = chunk.map_err(|error| s3_error!(IncompleteBody, "{error}"))?;
            sums.update(&chunk);
            file.write_all(&chunk).await.map_err(failed)?;
            new.size += chunk.len() as u64;
        }
        let summed = sums.finish()?;
        self.sync(file).await.map_err(failed)?;
        Ok((new, summed))
    }

    /// Several files in a row as one.
    pub(super) async fn join(&self, names: &[String]) -> S3Result<New> {
        let (mut file, mut new) = self.create().await.map_err(failed)?;
        for name in names {
            let mut part = File::open(self.folder.join(name)).await.map_err(failed)?;
            new.size += tokio::io::copy(&mut part, &mut file).await.map_err(failed)?;
        }
        self.sync(file).await.map_err(failed)?;
        Ok(new)
    }

    /// The same content for another object.
    pub(super) async fn link(&self, name: &str, size: u64) -> S3Result<New> {
        let mut new = self.new_name().map_err(failed)?;
        new.size = size;
        fs::hard_link(self.folder.join(name), &new.path).await.map_err(failed)?;
        self.sync_folder().await.map_err(failed)?;
        Ok(new)
    }

    /// A part of a file. It is opened here, so that removing the object does not cut it short.
    pub(super) async fn read(&self, name: &str, range: Range<u64>) -> S3Result<StreamingBlob> {
        let mut file = File::open(self.folder.join(name)).await.map_err(failed)?;
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
        Ok(New { path: self.folder.join(&name), name, size: 0, kept: false })
    }

    async fn create(&self) -> io::Result<(File, New)> {
        let new = self.new_name()?;
        let file =
            OpenOptions::new().write(true).create_new(true).mode(MODE).open(&new.path).await?;
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
