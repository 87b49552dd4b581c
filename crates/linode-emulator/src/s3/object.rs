//! Reading and writing one object.

use super::content::{self, Condition, Content, bucket, delete, find_version};
use super::files::New;
use super::sums::Sums;
use super::{Conditions, Objects};
use crate::store::{Kind, Record, State};
use futures_util::StreamExt;
use s3s::dto::{CopySource, ETagCondition, Metadata, Range, StreamingBlob, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use std::ops::Range as Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Between looking and writing, of a service that does the one after the other: long enough for
/// everybody else to look as well.
const GAP: Duration = Duration::from_millis(300);

/// Bytes of a refused body that are read and dropped.
const DRAINED: usize = 1 << 20;

/// What a reader wants to be true of the object.
#[derive(Default)]
pub(super) struct Reader {
    pub matches: Option<ETagCondition>,
    pub none: Option<ETagCondition>,
    pub modified_since: Option<Timestamp>,
    pub unmodified_since: Option<Timestamp>,
}

impl Reader {
    /// In the order of RFC 9110, section 13.2.2.
    ///
    /// # Errors
    /// 412, or 304 for what the reader has already.
    pub(super) fn check(&self, content: &Content) -> S3Result<()> {
        let is = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == content.etag,
        };
        // HTTP has whole seconds.
        let modified =
            Content { modified_ms: content.modified_ms / 1000 * 1000, ..Content::default() };
        let modified = modified.modified();
        let failed = match (&self.matches, &self.unmodified_since) {
            (Some(condition), _) => !is(condition),
            (None, Some(since)) => modified > *since,
            (None, None) => false,
        };
        if failed {
            return Err(s3_error!(PreconditionFailed));
        }
        let known = match (&self.none, &self.modified_since) {
            (Some(condition), _) => is(condition),
            (None, Some(since)) => modified <= *since,
            (None, None) => false,
        };
        if known { Err(s3_error!(NotModified)) } else { Ok(()) }
    }
}

/// An object that was found.
pub(super) struct Found {
    pub id: u64,
    pub content: Content,
}

impl Objects {
    pub(super) async fn find(
        &self,
        label: &str,
        name: &str,
        version: Option<&str>,
    ) -> S3Result<Found> {
        let look = |state: &State| {
            let bucket = bucket(state, label)?.id;
            let record = match version {
                None => state.object(bucket, name).cloned().ok_or(S3ErrorCode::NoSuchKey),
                Some(version) => find_version(state, bucket, name, version)
                    .map(|(_, record)| record)
                    .ok_or(S3ErrorCode::NoSuchVersion),
            };
            let record: Arc<Record> = record.map_err(S3Error::new)?;
            let content = Content::of(&record);
            if content.marker {
                return Err(s3_error!(MethodNotAllowed, "This version is the mark of a deletion"));
            }
            Ok(Found { id: record.id, content })
        };
        self.app.read(look).await
    }

    /// The object with its bytes, all or some. When it is replaced between the two, it is looked for
    /// again.
    pub(super) async fn get(
        &self,
        (label, name, version): (&str, &str, Option<&str>),
        reader: &Reader,
        range: Option<Range>,
    ) -> S3Result<(Found, StreamingBlob, Bytes<u64>)> {
        loop {
            let found = self.find(label, name, version).await?;
            reader.check(&found.content)?;
            let bytes = match range {
                Some(range) => range.check(found.content.size)?,
                None => 0..found.content.size,
            };
            match self.files.read(&found.content, bytes.clone()).await {
                Ok(body) => return Ok((found, body, bytes)),
                Err(error) => {
                    let now = self.find(label, name, version).await?;
                    if now.content.file == found.content.file {
                        return Err(error);
                    }
                }
            }
        }
    }

    pub(super) async fn put(
        &self,
        (label, name): (&str, &str),
        (mut body, sums): (StreamingBlob, Sums),
        mut content: Content,
        mut condition: Condition,
    ) -> S3Result<(Content, Option<String>)> {
        // One who is too late need not send it all.
        let look = |state: &State| condition.check(state.object(bucket(state, label)?.id, name));
        if self.conditions != Conditions::Ignored
            && let Err(refused) = self.app.read(look).await
        {
            // A client that still sends when the connection ends may lose the answer.
            let mut left = DRAINED;
            while let Some(Ok(chunk)) = body.next().await {
                left = left.saturating_sub(chunk.len());
                if left == 0 {
                    break;
                }
            }
            return Err(refused);
        }
        let broken = self.conditions != Conditions::Kept && condition.none.take().is_some();
        if broken && self.conditions == Conditions::Racy {
            tokio::time::sleep(GAP).await;
        }
        let (new, summed) = self.files.write(body, sums).await?;
        (content.etag, content.checksums) = (summed.etag, summed.checksums);
        self.commit((label, name), new, content, &condition).await
    }

    async fn commit(
        &self,
        (label, name): (&str, &str),
        mut new: New,
        described: Content,
        condition: &Condition,
    ) -> S3Result<(Content, Option<String>)> {
        let content = new.content(described);
        let mut answer = content.clone();
        let done = self.app.write(|tx| {
            let bucket = Arc::clone(bucket(tx, label)?);
            condition.check(tx.object(bucket.id, name))?;
            let (id, freed) = content::put(tx, &bucket, name, content);
            new.keep();
            Ok::<_, S3Error>((id, freed, content::versioning(&bucket) == Some("Enabled")))
        });
        let (id, freed, versioned) = done.await?;
        self.files.remove(freed).await;
        answer.versioned = versioned;
        let version = versioned.then(|| answer.version(id));
        Ok((answer, version))
    }

    /// Who copies must be allowed to read what it copies.
    pub(super) async fn source(
        &self,
        access_key: Option<&str>,
        source: &CopySource,
    ) -> S3Result<Found> {
        let CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(s3_error!(NotImplemented, "Only a bucket can be copied from"));
        };
        let may = |state: &State| {
            let may = super::access::may(state, access_key, Some(bucket), true);
            may.then_some(()).ok_or_else(|| s3_error!(AccessDenied))
        };
        self.app.read(may).await?;
        self.find(bucket, key, version_id.as_deref()).await
    }

    pub(super) async fn copy(
        &self,
        to: (&str, &str),
        source: Content,
        replaced: Option<Content>,
    ) -> S3Result<(Content, Option<String>)> {
        let new = self.files.link(&source).await?;
        let mut content = source;
        if let Some(given) = replaced {
            (content.headers, content.metadata) = (given.headers, given.metadata);
        }
        self.commit(to, new, content, &Condition::default()).await
    }

    pub(super) async fn remove(
        &self,
        label: &str,
        names: &[(String, Option<String>)],
        condition: &Condition,
    ) -> S3Result<Vec<content::Deleted>> {
        let done = self.app.write(|tx| {
            let mut all = Vec::new();
            for (name, version) in names {
                // Each one changes the bucket's counts.
                let bucket = Arc::clone(bucket(tx, label)?);
                condition.check(tx.object(bucket.id, name))?;
                all.push(delete(tx, &bucket, name, version.as_deref()));
            }
            Ok::<_, S3Error>(all)
        });
        let mut all = done.await?;
        let freed = all.iter_mut().flat_map(|deleted| std::mem::take(&mut deleted.freed)).collect();
        self.files.remove(freed).await;
        Ok(all)
    }

    /// Changes what the bucket's record keeps to itself.
    pub(super) async fn configure(
        &self,
        label: &str,
        field: &str,
        value: serde_json::Value,
    ) -> S3Result<()> {
        self.app
            .write(|tx| {
                let key = bucket(tx, label)?.key();
                tx.change(Kind::Bucket, key, |record| record.hide(field, value));
                Ok(())
            })
            .await
    }
}

/// Headers and metadata that an object is answered with.
pub(super) fn described(
    headers: [(&str, Option<String>); 5],
    metadata: Option<Metadata>,
) -> Content {
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Content {
        headers: headers.collect(),
        metadata: metadata.unwrap_or_default().into_iter().collect(),
        ..Content::default()
    }
}
