//! Where state lives: numbered, immutable objects behind one interface. A directory by default, a
//! bucket of an S3 service for a team.
//!
//! The only writes are create-if-absent (synced to disk), which every backend can do atomically, so
//! that a thousand races have one winner each; a directory has no compare-and-swap. A bucket has to
//! show it before the first write.

mod http;
mod place;
mod s3;

pub use place::{Bucket, S3Config, Secret, StatePlace};

use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use std::sync::Arc;
use std::time::Duration;

/// What is written to learn the store's time.
const CLOCK: &str = "clock.json";

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the state at {place}")]
    Open { place: String, source: object_store::Error },
    #[error("cannot create the state folder {place}")]
    Folder { place: String, source: std::io::Error },
    #[error("cannot read {key} from the state")]
    Read { key: String, source: object_store::Error },
    #[error("cannot write {key} to the state")]
    Write { key: String, source: object_store::Error },
    #[error("cannot {doing} {key} in {place}: {reason}")]
    Bucket { place: String, doing: &'static str, key: String, reason: String },
    #[error("no access to {place}: {reason}")]
    Credentials { place: String, reason: String },
    #[error("{place} does not keep to `If-None-Match: *`: {reason}")]
    Unconditional { place: String, reason: String },
    #[error("the S3 endpoint ({endpoint}) {problem}")]
    Endpoint { endpoint: String, problem: &'static str },
    #[error(transparent)]
    Https(#[from] andamio_https::Error),
    #[error("{0} in the state is not what this version wrote: {1}")]
    Garbled(String, String),
}

/// State of one instance: every key is below its prefix.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn ObjectStore>,
    prefix: String,
    /// Set where the backend is a bucket.
    remote: Option<Arc<s3::Remote>>,
}

impl Store {
    /// The state at a place, for writing: a folder is made (0700) when it is not there.
    ///
    /// # Errors
    /// When it cannot be made or opened. A bucket is not asked yet.
    pub fn open(place: &StatePlace) -> Result<Self, StoreError> {
        match place {
            StatePlace::Folder(folder) => Self::directory(folder),
            StatePlace::Bucket(bucket) => {
                let (backend, remote) = s3::open(bucket)?;
                Ok(Self { backend, prefix: String::new(), remote: Some(Arc::new(remote)) })
            }
        }
    }

    /// A directory, made (0700) when it is not there.
    ///
    /// # Errors
    /// When the directory cannot be made or opened.
    pub fn directory(folder: &std::path::Path) -> Result<Self, StoreError> {
        use std::os::unix::fs::DirBuilderExt;
        let place = folder.display().to_string();
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| StoreError::Folder { place: place.clone(), source })?;
        let backend = LocalFileSystem::new_with_prefix(folder)
            .map_err(|source| StoreError::Open { place, source })?
            .with_fsync(true);
        Ok(Self { backend: Arc::new(backend), prefix: String::new(), remote: None })
    }

    /// What is at a place, without making it: a folder that is not there is an empty state, and what
    /// is written to it is forgotten.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn look(place: &StatePlace) -> Result<Self, StoreError> {
        if place.is_missing() {
            let backend = Arc::new(InMemory::new());
            return Ok(Self { backend, prefix: String::new(), remote: None });
        }
        Self::open(place)
    }

    /// The same state, for one instance (`dev@local`).
    #[must_use]
    pub fn instance(&self, instance: &str) -> Self {
        // `@` would be percent-encoded in object names.
        let folder = instance.replace('@', ".");
        Self {
            backend: Arc::clone(&self.backend),
            prefix: format!("{folder}/"),
            remote: self.remote.clone(),
        }
    }

    /// The instances that have state here (`dev@local`), sorted.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn instances(&self) -> Result<Vec<String>, StoreError> {
        let listed = self.backend.list_with_delimiter(None).await;
        let listed = listed.map_err(|source| self.read_error("/".to_owned(), source))?;
        let folders = listed.common_prefixes.iter().filter_map(Path::filename);
        // Names of environments and places have no dot.
        let names = folders.filter_map(|name| name.split_once('.'));
        let mut instances: Vec<String> = names
            .filter(|(env, place)| !env.is_empty() && !place.is_empty() && !place.contains('.'))
            .map(|(env, place)| format!("{env}@{place}"))
            .collect();
        instances.sort();
        Ok(instances)
    }

    fn read_error(&self, key: String, source: object_store::Error) -> StoreError {
        match &self.remote {
            Some(remote) => remote.failure("read", &key, &source),
            None => StoreError::Read { key, source },
        }
    }

    fn write_error(&self, key: String, source: object_store::Error) -> StoreError {
        match &self.remote {
            Some(remote) => remote.failure("write", &key, &source),
            None => StoreError::Write { key, source },
        }
    }

    fn path(&self, key: &str) -> Path {
        Path::from(format!("{}{key}", self.prefix))
    }

    /// Creates `series/NNNNNNNNNN`; false when somebody else has that number already.
    ///
    /// # Errors
    /// When the backend fails for any other reason, or is a bucket that lets a name be created twice.
    pub async fn create(
        &self,
        series: &str,
        number: u64,
        body: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let key = key(series, number);
        let path = self.path(&key);
        if let Some(remote) = &self.remote {
            // Objects of the proof are outside of every instance.
            remote.prove(self.backend.as_ref()).await?;
            let created = remote.create(self.backend.as_ref(), &path, body).await;
            return created.map_err(|source| self.write_error(key, source));
        }
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.backend.put_opts(&path, body.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(source) => Err(self.write_error(key, source)),
        }
    }

    /// Appends to a series whatever its end is by now; the number it got.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn append(&self, series: &str, body: Vec<u8>) -> Result<u64, StoreError> {
        loop {
            let next = self.last(series).await?.map_or(1, |n| n + 1);
            if self.create(series, next, body.clone()).await? {
                return Ok(next);
            }
        }
    }

    /// All numbers of a series, ascending.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn numbers(&self, series: &str) -> Result<Vec<u64>, StoreError> {
        let prefix = self.path(series);
        let listed: Vec<_> = self
            .backend
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(|source| self.read_error(format!("{}{series}", self.prefix), source))?;
        let mut numbers: Vec<u64> = listed
            .iter()
            .filter_map(|meta| meta.location.filename()?.strip_suffix(".json")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The highest number of a series.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn last(&self, series: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.numbers(series).await?.last().copied())
    }

    /// One object of a series.
    ///
    /// # Errors
    /// When it is not there or the backend fails.
    pub async fn read(&self, series: &str, number: u64) -> Result<Vec<u8>, StoreError> {
        let key = key(series, number);
        self.fetch(&key).await.map_err(|source| self.read_error(key, source))
    }

    /// The same, where it may not be there.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn find(&self, series: &str, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key(series, number);
        match self.fetch(&key).await {
            Ok(body) => Ok(Some(body)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.read_error(key, source)),
        }
    }

    /// Names of the series below a folder: machines below `manifests`. Sorted.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn series_below(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let listed = self.backend.list_with_delimiter(Some(&self.path(folder))).await;
        let listed = listed.map_err(|source| self.read_error(folder.to_owned(), source))?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    async fn fetch(&self, key: &str) -> Result<Vec<u8>, object_store::Error> {
        Ok(self.backend.get(&self.path(key)).await?.bytes().await?.to_vec())
    }

    /// The newest object of a series.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn newest(&self, series: &str) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let mut last = self.last(series).await?;
        while let Some(number) = last {
            let key = key(series, number);
            let gone = match self.fetch(&key).await {
                Ok(body) => return Ok(Some((number, body))),
                Err(gone @ object_store::Error::NotFound { .. }) => gone,
                Err(source) => return Err(self.read_error(key, source)),
            };
            // Forgotten since it was listed: then there is a newer one.
            last = self.last(series).await?;
            if last == Some(number) {
                return Err(self.read_error(key, gone));
            }
        }
        Ok(None)
    }

    /// How long ago an object was written, by the store's own time: what the clocks of its users say does not matter. An
    /// object beside the series is written to ask for it. `None` when the object is gone.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn age(&self, series: &str, number: u64) -> Result<Option<Duration>, StoreError> {
        let written = match self.backend.head(&self.path(&key(series, number))).await {
            Ok(meta) => meta.last_modified,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(self.read_error(key(series, number), source)),
        };
        let clock = self.path(CLOCK);
        let asked = self.backend.put(&clock, b"{}".to_vec().into()).await;
        asked.map_err(|source| self.write_error(CLOCK.to_owned(), source))?;
        let now = self.backend.head(&clock).await;
        let now = now.map_err(|source| self.read_error(CLOCK.to_owned(), source))?;
        Ok(Some((now.last_modified - written).to_std().unwrap_or_default()))
    }

    /// Is it reached over a network?
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// Forgets objects of a series below `number`; only for what has no history to keep.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn forget_below(&self, series: &str, number: u64) -> Result<(), StoreError> {
        for old in self.numbers(series).await?.into_iter().filter(|&n| n < number) {
            let key = key(series, old);
            match self.backend.delete(&self.path(&key)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(self.write_error(key, source)),
            }
        }
        Ok(())
    }
}

fn key(series: &str, number: u64) -> String {
    format!("{series}/{number:010}.json")
}
