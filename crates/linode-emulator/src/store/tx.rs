//! A transaction: changes to the tables that all last, or none of which does.

use super::journal::Entry;
use super::{Body, Key, Kind, Record, Shared, State};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

/// Changes take effect at once and are undone by [`Tx::undo`]; nobody else reads in between, since it
/// holds the tables alone.
pub(crate) struct Tx<'a> {
    state: &'a mut State,
    /// What was there before, oldest first.
    before: Vec<(Kind, Key, Option<Arc<Record>>)>,
    ids_before: u64,
    jobs: Vec<u64>,
}

impl Deref for Tx<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        self.state
    }
}

impl<'a> Tx<'a> {
    pub(crate) fn new(state: &'a mut State) -> Self {
        let ids_before = state.last_id;
        Self { state, before: Vec::new(), ids_before, jobs: Vec::new() }
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.state.last_id += 1;
        self.state.last_id
    }

    /// A new record with an id of its own, which is also its `id` field.
    pub(crate) fn insert(
        &mut self,
        kind: Kind,
        parent: u64,
        body: Body,
        hidden: Body,
    ) -> Arc<Record> {
        let id = self.next_id();
        let mut whole = Body::new();
        whole.insert("id".to_owned(), id.into());
        whole.extend(body);
        self.put(kind, Record { id, parent, body: whole, hidden })
    }

    pub(crate) fn put(&mut self, kind: Kind, record: Record) -> Arc<Record> {
        let (key, record) = (record.key(), Arc::new(record));
        let before = self.state.set(kind, key, Some(Arc::clone(&record)));
        if kind == Kind::Job && before.is_none() {
            self.jobs.push(key.id);
        }
        self.before.push((kind, key, before));
        record
    }

    /// Changes a record, if it is there.
    pub(crate) fn change(
        &mut self,
        kind: Kind,
        key: Key,
        with: impl FnOnce(&mut Record),
    ) -> Option<Arc<Record>> {
        let mut record = Record::clone(self.state.get(kind, key.parent, key.id)?);
        with(&mut record);
        Some(self.put(kind, record))
    }

    pub(crate) fn delete(&mut self, kind: Kind, key: Key) {
        if let Some(before) = self.state.set(kind, key, None) {
            self.before.push((kind, key, Some(before)));
        }
    }

    pub(crate) fn delete_of(&mut self, kind: Kind, parent: u64) {
        let keys: Vec<Key> = self.state.of(kind, parent).map(|r| r.key()).collect();
        for key in keys {
            self.delete(kind, key);
        }
    }

    /// As if it had never begun.
    pub(crate) fn undo(self) {
        for (kind, key, record) in self.before.into_iter().rev() {
            self.state.set(kind, key, record);
        }
        self.state.last_id = self.ids_before;
    }

    /// What has to be written, and the jobs that were added. `None` when nothing changed.
    pub(super) fn entry(self) -> Option<(Entry, Vec<u64>)> {
        let touched: BTreeSet<(Kind, Key)> =
            self.before.iter().map(|(k, key, _)| (*k, *key)).collect();
        if touched.is_empty() {
            return None;
        }
        let mut entry = Entry { last_id: self.state.last_id, ..Entry::default() };
        for (kind, key) in touched {
            match self.state.get(kind, key.parent, key.id) {
                Some(record) => entry.put.push((kind, Shared(Arc::clone(record)))),
                None => entry.del.push((kind, key)),
            }
        }
        Some((entry, self.jobs))
    }
}
