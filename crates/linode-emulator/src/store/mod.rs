//! Everything that the emulator knows, in memory: records by kind, found by id, by parent, and by the
//! name that is unique in their kind. What changes it is a [`Tx`]; `journal` makes a transaction last.

mod file;
mod journal;
mod open;
mod record;
mod tx;

pub(crate) use journal::Durable;
pub use open::StoreError;
pub(crate) use open::{Opened, open};
pub(crate) use record::{Body, Key, Kind, Record, Shared};
pub(crate) use tx::Tx;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The tables. Reading only; see [`Tx`].
#[derive(Default)]
pub(crate) struct State {
    tables: BTreeMap<Kind, BTreeMap<Key, Arc<Record>>>,
    /// Kind and unique name → key. It follows the tables.
    names: HashMap<(Kind, String), Key>,
    /// Bucket and name → object, in the order that listings have. It follows the tables.
    objects: BTreeMap<(u64, String), u64>,
    /// Where S3 is served, as clients name it. Not on disk: it is this run's.
    pub(crate) s3: Option<Arc<str>>,
    /// The last id that was given. Ids are never given twice, also not after a deletion.
    last_id: u64,
}

impl State {
    pub(crate) fn get(&self, kind: Kind, parent: u64, id: u64) -> Option<&Arc<Record>> {
        self.tables.get(&kind)?.get(&Key { parent, id })
    }

    /// All of a kind, by parent and id.
    pub(crate) fn all(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Arc<Record>> + Clone {
        self.tables.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    /// Those that belong to one parent, by id.
    pub(crate) fn of(
        &self,
        kind: Kind,
        parent: u64,
    ) -> impl DoubleEndedIterator<Item = &Arc<Record>> + Clone {
        let range = Key { parent, id: 0 }..=Key { parent, id: u64::MAX };
        self.tables.get(&kind).into_iter().flat_map(move |t| t.range(range.clone()).map(|(_, r)| r))
    }

    /// By the name that is unique in its kind (see [`Kind::unique`]).
    pub(crate) fn named(&self, kind: Kind, name: &str) -> Option<&Arc<Record>> {
        let key = self.names.get(&(kind, name.to_lowercase()))?;
        self.tables.get(&kind)?.get(key)
    }

    /// What a bucket has under this name, whose case matters.
    pub(crate) fn object(&self, bucket: u64, name: &str) -> Option<&Arc<Record>> {
        let id = self.objects.get(&(bucket, name.to_owned()))?;
        self.get(Kind::Object, bucket, *id)
    }

    /// Objects of a bucket by name, from the first that is not before `from`.
    pub(crate) fn objects_from(
        &self,
        bucket: u64,
        from: &str,
    ) -> impl Iterator<Item = &Arc<Record>> {
        let range = (bucket, from.to_owned())..(bucket + 1, String::new());
        self.objects.range(range).filter_map(move |(_, id)| self.get(Kind::Object, bucket, *id))
    }

    /// Puts a record in its place, or takes it out; returns what was there.
    fn set(&mut self, kind: Kind, key: Key, record: Option<Arc<Record>>) -> Option<Arc<Record>> {
        let table = self.tables.entry(kind).or_default();
        let name = |r: &Arc<Record>| r.unique_name(kind).map(|name| (kind, name));
        let after = record.as_ref().and_then(name);
        let before = match record {
            Some(record) => table.insert(key, record),
            None => table.remove(&key),
        };
        if kind == Kind::Object {
            let name = before.as_ref().map(|r| (key.parent, r.text("name").to_owned()));
            // Another record may have taken the name before this one leaves it.
            if let Some(name) = name.filter(|n| self.objects.get(n) == Some(&key.id)) {
                self.objects.remove(&name);
            }
            if let Some(record) = table.get(&key) {
                self.objects.insert((key.parent, record.text("name").to_owned()), key.id);
            }
        }
        let gone = before.as_ref().and_then(name);
        if gone != after {
            if let Some(gone) = gone {
                self.names.remove(&gone);
            }
            if let Some(name) = after {
                self.names.insert(name, key);
            }
        }
        before
    }
}
