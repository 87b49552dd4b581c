//! Uploads in parts. A part is a file with a record; the last request joins the files, and one
//! transaction makes the object and forgets the parts.

use super::Objects;
use super::content::{self, Condition, Content, bucket};
use super::sums::Sums;
use crate::store::{Key, Kind, Record, State};
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{
    CompletedMultipartUpload, CompletedPart, ETag, ListPartsOutput, MultipartUpload, Part,
    StreamingBlob,
};
use s3s::{S3Result, s3_error};
use std::sync::Arc;

/// Bytes of every part but the last (Amazon S3 user guide, "Multipart upload limits").
const LEAST: u64 = 5 << 20;
const NUMBERS: std::ops::RangeInclusive<i32> = 1..=10_000;

/// The bucket and the upload that a request names.
fn upload(
    state: &State,
    label: &str,
    name: &str,
    id: &str,
) -> S3Result<(Arc<Record>, Arc<Record>)> {
    let bucket = bucket(state, label)?;
    let upload = id.parse().ok().and_then(|id| state.get(Kind::ObjectUpload, bucket.id, id));
    let upload = upload.filter(|upload| upload.text("name") == name);
    let upload = upload.ok_or_else(|| s3_error!(NoSuchUpload))?;
    Ok((Arc::clone(bucket), Arc::clone(upload)))
}

impl Objects {
    pub(super) async fn begin(
        &self,
        label: &str,
        name: &str,
        content: Content,
    ) -> S3Result<String> {
        self.app
            .write(|tx| {
                let bucket = bucket(tx, label)?.id;
                let id = tx.next_id();
                tx.put(Kind::ObjectUpload, content.record(id, bucket, name));
                Ok(id.to_string())
            })
            .await
    }

    pub(super) async fn part(
        &self,
        (label, name, id): (&str, &str, &str),
        number: i32,
        body: StreamingBlob,
        sums: Sums,
    ) -> S3Result<Content> {
        let number = u64::try_from(number).ok().filter(|_| NUMBERS.contains(&number));
        let number = number
            .ok_or_else(|| s3_error!(InvalidArgument, "Parts have numbers from 1 to 10000"))?;
        self.app.read(|state| upload(state, label, name, id)).await?;
        let (mut new, summed) = self.files.write(body, sums).await?;
        let described =
            Content { etag: summed.etag, checksums: summed.checksums, ..Content::default() };
        let content = new.content(described);
        let answer = content.clone();
        let freed = self.app.write(|tx| {
            let (_, upload) = upload(tx, label, name, id)?;
            let old = tx.get(Kind::ObjectPart, upload.id, number).map(|r| Content::of(r).file);
            tx.put(Kind::ObjectPart, content.record(number, upload.id, name));
            new.keep();
            Ok::<_, s3s::S3Error>(old)
        });
        let freed = freed.await?;
        self.files.remove(freed.into_iter().collect()).await;
        Ok(answer)
    }

    pub(super) async fn complete(
        &self,
        (label, name, id): (&str, &str, &str),
        wanted: Option<CompletedMultipartUpload>,
        condition: Condition,
    ) -> S3Result<(Content, Option<String>)> {
        let wanted = wanted.and_then(|w| w.parts).unwrap_or_default();
        let chosen = |state: &State| {
            let (bucket, upload) = upload(state, label, name, id)?;
            condition.check(state.object(bucket.id, name))?;
            Ok::<_, s3s::S3Error>((Content::of(&upload), parts(state, upload.id, &wanted)?))
        };
        let (begun, parts) = self.app.read(chosen).await?;
        let mut new = self.files.join(&parts).await?;
        let content = new.content(Content { etag: etag(&parts)?, ..begun });
        let mut answer = content.clone();
        let done = self.app.write(|tx| {
            let (bucket, upload) = upload(tx, label, name, id)?;
            condition.check(tx.object(bucket.id, name))?;
            let (id, mut freed) = content::put(tx, &bucket, name, content);
            freed.extend(tx.of(Kind::ObjectPart, upload.id).map(|r| Content::of(r).file));
            tx.delete_of(Kind::ObjectPart, upload.id);
            tx.delete(Kind::ObjectUpload, upload.key());
            new.keep();
            Ok::<_, s3s::S3Error>((id, freed, content::versioning(&bucket) == Some("Enabled")))
        });
        let (id, freed, versioned) = done.await?;
        self.files.remove(freed).await;
        answer.versioned = versioned;
        let version = versioned.then(|| answer.version(id));
        Ok((answer, version))
    }

    pub(super) async fn abort(&self, (label, name, id): (&str, &str, &str)) -> S3Result<()> {
        let freed = self.app.write(|tx| {
            let (_, upload) = upload(tx, label, name, id)?;
            let freed = tx.of(Kind::ObjectPart, upload.id).map(|r| Content::of(r).file).collect();
            tx.delete_of(Kind::ObjectPart, upload.id);
            tx.delete(Kind::ObjectUpload, Key { parent: upload.parent, id: upload.id });
            Ok::<Vec<String>, s3s::S3Error>(freed)
        });
        let freed = freed.await?;
        self.files.remove(freed).await;
        Ok(())
    }

    pub(super) async fn parts(
        &self,
        (label, name, id): (&str, &str, &str),
        after: i32,
        most: i32,
    ) -> S3Result<ListPartsOutput> {
        let listed = |state: &State| {
            let (_, upload) = upload(state, label, name, id)?;
            let parts = state.of(Kind::ObjectPart, upload.id).map(shown);
            Ok::<Vec<Part>, s3s::S3Error>(parts.filter(|p| p.part_number > Some(after)).collect())
        };
        let mut parts = self.app.read(listed).await?;
        let more = parts.len() > usize::try_from(most).unwrap_or(0);
        parts.truncate(usize::try_from(most).unwrap_or(0));
        Ok(ListPartsOutput {
            bucket: Some(label.to_owned()),
            key: Some(name.to_owned()),
            upload_id: Some(id.to_owned()),
            is_truncated: Some(more),
            max_parts: Some(most),
            next_part_number_marker: parts.last().filter(|_| more).and_then(|p| p.part_number),
            parts: Some(parts),
            ..ListPartsOutput::default()
        })
    }

    pub(super) async fn uploads(
        &self,
        label: &str,
        prefix: &str,
    ) -> S3Result<Vec<MultipartUpload>> {
        let listed = |state: &State| {
            let all = state.of(Kind::ObjectUpload, bucket(state, label)?.id);
            let mut all: Vec<_> = all.filter(|u| u.text("name").starts_with(prefix)).collect();
            all.sort_by_key(|u| u.text("name"));
            let shown = all.into_iter().map(|upload| MultipartUpload {
                key: Some(upload.text("name").to_owned()),
                upload_id: Some(upload.id.to_string()),
                initiated: Some(Content::of(upload).modified()),
                ..MultipartUpload::default()
            });
            Ok(shown.collect())
        };
        self.app.read(listed).await
    }
}

fn shown(record: &Arc<Record>) -> Part {
    let content = Content::of(record);
    Part {
        part_number: i32::try_from(record.id).ok(),
        size: i64::try_from(content.size).ok(),
        e_tag: Some(content.etag()),
        last_modified: Some(content.modified()),
        ..Part::default()
    }
}

/// The parts that are to be the object, each with the ETag that it was answered with.
fn parts(state: &State, upload: u64, wanted: &[CompletedPart]) -> S3Result<Vec<Content>> {
    if wanted.is_empty() {
        return Err(s3_error!(MalformedXML, "An object has at least one part"));
    }
    let (mut parts, mut before) = (Vec::new(), 0);
    for part in wanted {
        let number = part.part_number.unwrap_or_default();
        if number <= before {
            return Err(s3_error!(InvalidPartOrder));
        }
        before = number;
        let record =
            u64::try_from(number).ok().and_then(|n| state.get(Kind::ObjectPart, upload, n));
        let content = record.map(|record| Content::of(record));
        let same = |c: &Content| part.e_tag.as_ref().is_none_or(|e: &ETag| e.value() == c.etag);
        parts.push(content.filter(same).ok_or_else(|| s3_error!(InvalidPart))?);
    }
    let (_, all_but_last) = parts.split_last().unwrap_or((&parts[0], &[]));
    if all_but_last.iter().any(|part| part.size < LEAST) {
        return Err(s3_error!(EntityTooSmall));
    }
    Ok(parts)
}

/// Of the parts' sums, and how many there are.
fn etag(parts: &[Content]) -> S3Result<String> {
    let mut sum = Md5::new();
    for part in parts {
        let bytes = hex::decode(&part.etag);
        sum.update(&bytes.map_err(|error| s3_error!(error, InternalError))?);
    }
    Ok(format!("{}-{}", hex::encode(sum.finalize()), parts.len()))
}
