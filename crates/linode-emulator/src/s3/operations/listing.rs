//! Names of a bucket.

use super::{Answer, answer, length};
use crate::s3::content::{Content, bucket};
use crate::s3::list::{self, Page, Wanted};
use crate::s3::{Objects, sign};
use crate::store::{Record, State};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};
use std::sync::Arc;

/// Names of a page, at most and unless asked for.
const PAGE: i32 = 1000;

pub(super) fn most(wanted: Option<i32>) -> S3Result<(i32, usize)> {
    let most = wanted.unwrap_or(PAGE).min(PAGE);
    let count = usize::try_from(most);
    Ok((most, count.map_err(|_| s3_error!(InvalidArgument, "A number of names is not negative"))?))
}

/// Names that XML cannot hold can be asked for in the form that addresses have.
fn encoded(name: &str, encoding: Option<&EncodingType>) -> String {
    if encoding.is_some() { sign::encode(name, true) } else { name.to_owned() }
}

fn object(record: &Arc<Record>, encoding: Option<&EncodingType>) -> Object {
    let content = Content::of(record);
    Object {
        key: Some(encoded(record.text("name"), encoding)),
        e_tag: Some(content.etag()),
        size: length(content.size),
        last_modified: Some(content.modified()),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Object::default()
    }
}

fn prefixes(page: &Page, encoding: Option<&EncodingType>) -> Option<Vec<CommonPrefix>> {
    let all = page.prefixes.iter();
    Some(all.map(|prefix| CommonPrefix { prefix: Some(encoded(prefix, encoding)) }).collect())
}

impl Objects {
    async fn page(&self, label: &str, wanted: Wanted<'_>) -> S3Result<Page> {
        self.app.read(|state: &State| Ok(wanted.page(state, bucket(state, label)?.id))).await
    }
}

pub(super) async fn list_objects_v2(
    objects: &Objects,
    request: S3Request<ListObjectsV2Input>,
) -> Answer<ListObjectsV2Output> {
    let input = request.input;
    let (max_keys, most) = most(input.max_keys)?;
    let token = input.continuation_token.as_deref();
    let after = token.map(sign::decode).transpose()?;
    let wanted = Wanted {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after: after.as_deref().or(input.start_after.as_deref()).unwrap_or_default(),
        most,
    };
    let page = objects.page(&input.bucket, wanted).await?;
    let encoding = input.encoding_type.as_ref();
    let contents: Vec<Object> = page.objects.iter().map(|r| object(r, encoding)).collect();
    answer(ListObjectsV2Output {
        common_prefixes: prefixes(&page, encoding),
        key_count: i32::try_from(contents.len() + page.prefixes.len()).ok(),
        is_truncated: Some(page.next.is_some()),
        // Whatever is in a name, a token is plain.
        next_continuation_token: page.next.as_deref().map(|name| sign::encode(name, false)),
        contents: Some(contents),
        max_keys: Some(max_keys),
        prefix: Some(encoded(wanted.prefix, encoding)),
        delimiter: input.delimiter.as_deref().map(|d| encoded(d, encoding)),
        start_after: input.start_after.as_deref().map(|s| encoded(s, encoding)),
        continuation_token: input.continuation_token,
        name: Some(input.bucket),
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    })
}

pub(super) async fn list_objects(
    objects: &Objects,
    request: S3Request<ListObjectsInput>,
) -> Answer<ListObjectsOutput> {
    let input = request.input;
    let (max_keys, most) = most(input.max_keys)?;
    let wanted = Wanted {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after: input.marker.as_deref().unwrap_or_default(),
        most,
    };
    let page = objects.page(&input.bucket, wanted).await?;
    let encoding = input.encoding_type.as_ref();
    answer(ListObjectsOutput {
        common_prefixes: prefixes(&page, encoding),
        is_truncated: Some(page.next.is_some()),
        next_marker: page.next.as_deref().map(|name| encoded(name, encoding)),
        contents: Some(page.objects.iter().map(|r| object(r, encoding)).collect()),
        max_keys: Some(max_keys),
        prefix: Some(encoded(wanted.prefix, encoding)),
        marker: Some(encoded(wanted.after, encoding)),
        delimiter: input.delimiter.as_deref().map(|d| encoded(d, encoding)),
        name: Some(input.bucket),
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
    })
}

pub(super) async fn list_object_versions(
    objects: &Objects,
    request: S3Request<ListObjectVersionsInput>,
) -> Answer<ListObjectVersionsOutput> {
    let input = request.input;
    if input.delimiter.is_some() {
        return Err(s3_error!(NotImplemented, "Versions are listed without a delimiter"));
    }
    let (max_keys, most) = most(input.max_keys)?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    // Without an id, all versions of that name are behind the marker.
    let id = input.version_id_marker.as_deref().map_or(Ok(0), str::parse);
    let id = id.map_err(|_| s3_error!(InvalidArgument, "version-id-marker is no version"))?;
    let after = (input.key_marker.as_deref().unwrap_or_default(), id);
    let listed = |state: &State| {
        Ok::<_, s3s::S3Error>(list::versions(
            state,
            bucket(state, &input.bucket)?.id,
            prefix,
            after,
            most,
        ))
    };
    let (found, more) = objects.app.read(listed).await?;
    let encoding = input.encoding_type.as_ref();
    let last = found.last().filter(|_| more).map(|(record, _)| Arc::clone(record));
    let (mut versions, mut delete_markers) = (Vec::new(), Vec::new());
    for (record, newest) in found {
        let content = Content::of(&record);
        let key = Some(encoded(record.text("name"), encoding));
        let (version_id, is_latest) = (Some(content.version(record.id)), Some(newest));
        let last_modified = Some(content.modified());
        if content.marker {
            delete_markers.push(DeleteMarkerEntry {
                key,
                version_id,
                is_latest,
                last_modified,
                ..DeleteMarkerEntry::default()
            });
        } else {
            versions.push(ObjectVersion {
                key,
                version_id,
                is_latest,
                last_modified,
                e_tag: Some(content.etag()),
                size: length(content.size),
                ..ObjectVersion::default()
            });
        }
    }
    answer(ListObjectVersionsOutput {
        versions: Some(versions),
        delete_markers: Some(delete_markers),
        is_truncated: Some(more),
        next_key_marker: last.as_ref().map(|r| encoded(r.text("name"), encoding)),
        // The id, also where a client knows the version as `null`.
        next_version_id_marker: last.map(|r| r.id.to_string()),
        max_keys: Some(max_keys),
        prefix: input.prefix,
        key_marker: input.key_marker,
        version_id_marker: input.version_id_marker,
        name: Some(input.bucket),
        encoding_type: input.encoding_type,
        ..ListObjectVersionsOutput::default()
    })
}
