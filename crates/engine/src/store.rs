//! Where state lives: numbered, immutable objects behind one interface. A directory by default.
//!
//! The only writes are create-if-absent (synced to disk), which every backend can do atomically, so
//! that a thousand races have one winner each; a directory has no compare-and-swap.

use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use std::sync::Arc;

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
    #[error("{0} in the state is not what this version wrote: {1}")]
    Garbled(String, String),
}

/// State of one instance: every key is below its prefix.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn ObjectStore>,
    prefix: String,
}

impl Store {
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
        Ok(Self { backend: Arc::new(backend), prefix: String::new() })
    }

    /// What is in the directory, without making it: one that is not there is an empty state, and what
    /// is written to it is forgotten.
    ///
    /// # Errors
    /// When the directory is there and cannot be opened.
    pub fn look(folder: &std::path::Path) -> Result<Self, StoreError> {
        if folder.exists() {
            return Self::directory(folder);
        }
        Ok(Self { backend: Arc::new(InMemory::new()), prefix: String::new() })
    }

    /// The same state, for one instance (`dev@local`).
    #[must_use]
    pub fn instance(&self, instance: &str) -> Self {
        // `@` would be percent-encoded in object names.
        let folder = instance.replace('@', ".");
        Self { backend: Arc::clone(&self.backend), prefix: format!("{folder}/") }
    }

    /// The instances that have state here (`dev@local`), sorted.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn instances(&self) -> Result<Vec<String>, StoreError> {
        let listed = self.backend.list_with_delimiter(None).await;
        let listed = listed.map_err(|source| StoreError::Read { key: "/".to_owned(), source })?;
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

    fn path(&self, key: &str) -> Path {
        Path::from(format!("{}{key}", self.prefix))
    }

    /// Creates `series/NNNNNNNNNN`; false when somebody else has that number already.
    ///
    /// # Errors
    /// When the backend fails for any other reason.
    pub async fn create(
        &self,
        series: &str,
        number: u64,
        body: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let key = key(series, number);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.backend.put_opts(&self.path(&key), body.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(source) => Err(StoreError::Write { key, source }),
        }
    }

    /// Appends to a series whatever its end is by now; the number it got.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn append(&self, series: &str, body: Vec<u8>) -> Result<u64, StoreError> {
        loop {
            let next = self.numbers(series).await?.last().map_or(1, |n| n + 1);
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
            .map_err(|source| StoreError::Read { key: series.to_owned(), source })?;
        let mut numbers: Vec<u64> = listed
            .iter()
            .filter_map(|meta| meta.location.filename()?.strip_suffix(".json")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// One object of a series.
    ///
    /// # Errors
    /// When it is not there or the backend fails.
    pub async fn read(&self, series: &str, number: u64) -> Result<Vec<u8>, StoreError> {
        let key = key(series, number);
        let fail = |source| StoreError::Read { key: key.clone(), source };
        let got = self.backend.get(&self.path(&key)).await.map_err(fail)?;
        Ok(got.bytes().await.map_err(fail)?.to_vec())
    }

    /// The newest object of a series.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn newest(&self, series: &str) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        match self.numbers(series).await?.last() {
            Some(&number) => Ok(Some((number, self.read(series, number).await?))),
            None => Ok(None),
        }
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
                Err(source) => return Err(StoreError::Write { key, source }),
            }
        }
        Ok(())
    }
}

fn key(series: &str, number: u64) -> String {
    format!("{series}/{number:010}.json")
}
