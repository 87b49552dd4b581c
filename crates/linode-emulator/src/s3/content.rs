//! What the records say of an object: which file it is, and what a client said about it. Records change
//! in transactions only, and a condition is judged in the same one that writes: of rivals one wins.

use crate::event;
use crate::store::{Body, Key, Kind, Record, State, Tx};
use s3s::dto::{ETag, ETagCondition, Metadata, Timestamp};
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// In the journal: fields are added, never renamed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Content {
    /// Its file; none where the content is here, and for the mark of a deletion.
    pub file: String,
    /// The content itself, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    pub size: u64,
    pub etag: String,
    pub modified_ms: u64,
    pub headers: BTreeMap<String, String>,
    pub metadata: BTreeMap<String, String>,
    pub checksums: BTreeMap<String, String>,
    /// Made while the bucket kept versions: its record's id names it. Else it is `null`.
    pub versioned: bool,
    /// The mark of a deletion.
    pub marker: bool,
}

impl Content {
    pub(super) fn of(record: &Record) -> Self {
        serde_json::from_value(Value::Object(record.hidden.clone())).unwrap_or_default()
    }

    pub(super) fn now() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// What is here.
    pub(super) fn bytes(&self) -> S3Result<Option<Vec<u8>>> {
        let bytes = self.data.as_deref().map(hex::decode).transpose();
        bytes.map_err(|error| s3_error!(error, InternalError))
    }

    pub(super) fn modified(&self) -> Timestamp {
        (UNIX_EPOCH + Duration::from_millis(self.modified_ms)).into()
    }

    pub(super) fn etag(&self) -> ETag {
        ETag::Strong(self.etag.clone())
    }

    pub(super) fn version(&self, id: u64) -> String {
        if self.versioned { id.to_string() } else { "null".to_owned() }
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).cloned()
    }

    pub(super) fn metadata(&self) -> Option<Metadata> {
        let all = self.metadata.iter().map(|(name, value)| (name.clone(), value.clone()));
        (!self.metadata.is_empty()).then(|| all.collect())
    }

    pub(super) fn record(self, id: u64, bucket: u64, name: &str) -> Record {
        let mut body = Body::new();
        for (field, value) in [
            ("name", json!(name)),
            ("etag", json!(self.etag)),
            ("last_modified", json!(event::now())),
            ("size", json!(self.size)),
        ] {
            body.insert(field.to_owned(), value);
        }
        let hidden = match serde_json::to_value(self) {
            Ok(Value::Object(hidden)) => hidden,
            _ => Body::new(),
        };
        Record { id, parent: bucket, body, hidden }
    }
}

/// What must be true of the object that is there.
#[derive(Default)]
pub(super) struct Condition {
    pub none: Option<ETagCondition>,
    pub matches: Option<ETagCondition>,
}

impl Condition {
    /// # Errors
    /// It is not; or it is one that writes do not have.
    pub(super) fn check(&self, current: Option<&Arc<Record>>) -> S3Result<()> {
        match (&self.none, current) {
            (Some(ETagCondition::Any), Some(_)) => {
                return Err(s3_error!(PreconditionFailed, "The object already exists"));
            }
            (Some(ETagCondition::ETag(_)), _) => {
                return Err(s3_error!(NotImplemented, "If-None-Match of a write takes only `*`"));
            }
            _ => {}
        }
        match (&self.matches, current) {
            (Some(_), None) => Err(s3_error!(NoSuchKey)),
            (Some(ETagCondition::ETag(etag)), Some(record))
                if etag.value() != record.text("etag") =>
            {
                Err(s3_error!(PreconditionFailed, "The object has another ETag"))
            }
            _ => Ok(()),
        }
    }
}

/// The bucket that a request names.
///
/// # Errors
/// There is none.
pub(super) fn bucket<'s>(state: &'s State, label: &str) -> S3Result<&'s Arc<Record>> {
    let found = state.all(Kind::Bucket).find(|b| b.text("label") == label);
    found.ok_or_else(|| s3_error!(NoSuchBucket, "The bucket {} does not exist", label))
}

/// `None`, `Enabled` or `Suspended`.
pub(super) fn versioning(bucket: &Record) -> Option<&str> {
    bucket.hidden.get("versioning").and_then(Value::as_str)
}

/// Files that the records name.
pub(super) fn known(state: &State) -> impl Iterator<Item = String> {
    let kinds = [Kind::Object, Kind::ObjectVersion, Kind::ObjectPart];
    kinds.into_iter().flat_map(|kind| state.all(kind)).map(|record| Content::of(record).file)
}

/// An object under its name, in place of what was there. Returns its id, and the files that nothing
/// names any more.
pub(super) fn put(
    tx: &mut Tx<'_>,
    bucket: &Record,
    name: &str,
    mut content: Content,
) -> (u64, Vec<String>) {
    content.versioned = versioning(bucket) == Some("Enabled");
    let freed = displace(tx, bucket, name, content.versioned);
    count(tx, bucket, 1, content.size);
    let id = tx.next_id();
    tx.put(Kind::Object, content.record(id, bucket.id, name));
    (id, freed)
}

/// Takes the current object from its name: into the versions, or away.
fn displace(tx: &mut Tx<'_>, bucket: &Record, name: &str, versioned: bool) -> Vec<String> {
    let mut freed = Vec::new();
    if let Some(old) = tx.object(bucket.id, name).cloned() {
        tx.delete(Kind::Object, old.key());
        if versioned || Content::of(&old).versioned {
            tx.put(Kind::ObjectVersion, Record::clone(&old));
        } else {
            freed.push(forget(tx, bucket, &old));
        }
    }
    if !versioned && versioning(bucket).is_some() {
        let null = |v: &&Arc<Record>| v.text("name") == name && !Content::of(v).versioned;
        let nulls: Vec<_> = tx.of(Kind::ObjectVersion, bucket.id).filter(null).cloned().collect();
        for null in nulls {
            tx.delete(Kind::ObjectVersion, null.key());
            freed.push(forget(tx, bucket, &null));
        }
    }
    freed
}

/// What it no longer counts for; its file.
fn forget(tx: &mut Tx<'_>, bucket: &Record, record: &Record) -> String {
    let content = Content::of(record);
    if !content.marker {
        tx.change(Kind::Bucket, bucket.key(), |b| {
            b.set("objects", b.number("objects").saturating_sub(1));
            b.set("size", b.number("size").saturating_sub(content.size));
        });
    }
    content.file
}

fn count(tx: &mut Tx<'_>, bucket: &Record, objects: u64, bytes: u64) {
    tx.change(Kind::Bucket, bucket.key(), |b| {
        b.set("objects", b.number("objects") + objects);
        b.set("size", b.number("size") + bytes);
    });
}

/// What a deletion did.
#[derive(Default)]
pub(super) struct Deleted {
    pub version: Option<String>,
    pub marker: bool,
    pub freed: Vec<String>,
}

/// Deletes what is under a name, or marks it as deleted where versions are kept; with a version, that
/// one for good. What is not there is deleted already.
pub(super) fn delete(
    tx: &mut Tx<'_>,
    bucket: &Record,
    name: &str,
    version: Option<&str>,
) -> Deleted {
    if let Some(version) = version {
        return delete_version(tx, bucket, name, version);
    }
    let Some(status) = versioning(bucket) else {
        return Deleted { freed: displace(tx, bucket, name, false), ..Deleted::default() };
    };
    let versioned = status == "Enabled";
    let freed = displace(tx, bucket, name, versioned);
    let content =
        Content { marker: true, versioned, modified_ms: Content::now(), ..Content::default() };
    let id = tx.next_id();
    let version = Some(content.version(id));
    tx.put(Kind::ObjectVersion, content.record(id, bucket.id, name));
    Deleted { version, marker: true, freed }
}

fn delete_version(tx: &mut Tx<'_>, bucket: &Record, name: &str, version: &str) -> Deleted {
    let mut deleted = Deleted { version: Some(version.to_owned()), ..Deleted::default() };
    let Some((kind, record)) = find_version(tx, bucket.id, name, version) else { return deleted };
    tx.delete(kind, record.key());
    deleted.marker = Content::of(&record).marker;
    deleted.freed.push(forget(tx, bucket, &record));
    // What comes to light below it is the object again.
    if tx.object(bucket.id, name).is_none() {
        let newest = tx.of(Kind::ObjectVersion, bucket.id).rfind(|v| v.text("name") == name);
        if let Some(newest) = newest.filter(|v| !Content::of(v).marker).cloned() {
            tx.delete(Kind::ObjectVersion, newest.key());
            tx.put(Kind::Object, Record::clone(&newest));
        }
    }
    deleted
}

pub(super) fn find_version(
    state: &State,
    bucket: u64,
    name: &str,
    version: &str,
) -> Option<(Kind, Arc<Record>)> {
    let is = |record: &&Arc<Record>| {
        record.text("name") == name && Content::of(record).version(record.id) == version
    };
    let current = state.object(bucket, name).filter(is).map(|r| (Kind::Object, Arc::clone(r)));
    current.or_else(|| {
        let mut older = state.of(Kind::ObjectVersion, bucket);
        older.find(is).map(|r| (Kind::ObjectVersion, Arc::clone(r)))
    })
}

/// Uploads and their parts; their files.
pub(crate) fn forget_uploads(tx: &mut Tx<'_>, bucket: u64) {
    let uploads: Vec<Key> = tx.of(Kind::ObjectUpload, bucket).map(|u| u.key()).collect();
    for upload in uploads {
        tx.delete_of(Kind::ObjectPart, upload.id);
        tx.delete(Kind::ObjectUpload, upload);
    }
}
