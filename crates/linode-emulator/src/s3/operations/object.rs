//! One object, or several that are deleted.

use super::{Answer, answer, length};
use crate::s3::Objects;
use crate::s3::content::Condition;
use crate::s3::object::{Reader, described};
use crate::s3::sums::Sums;
use s3s::dto::*;
use s3s::{S3Request, s3_error};

pub(super) async fn put_object(
    objects: &Objects,
    request: S3Request<PutObjectInput>,
) -> Answer<PutObjectOutput> {
    let input = request.input;
    let sums =
        Sums::new(&request.headers, input.checksum_algorithm.as_ref(), request.trailing_headers);
    let described = described(
        [
            ("content-type", input.content_type),
            ("content-encoding", input.content_encoding),
            ("content-disposition", input.content_disposition),
            ("content-language", input.content_language),
            ("cache-control", input.cache_control),
        ],
        input.metadata,
    );
    let body = input.body.unwrap_or_else(|| s3s::Body::empty().into());
    let condition = Condition { none: input.if_none_match, matches: input.if_match };
    let name = (input.bucket.as_str(), input.key.as_str());
    let (content, version_id) = objects.put(name, (body, sums), described, condition).await?;
    let sum = |name: &str| content.checksums.get(name).cloned();
    answer(PutObjectOutput {
        e_tag: Some(content.etag()),
        version_id,
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        ..PutObjectOutput::default()
    })
}

pub(super) async fn get_object(
    objects: &Objects,
    request: S3Request<GetObjectInput>,
) -> Answer<GetObjectOutput> {
    let input = request.input;
    if input.part_number.is_some() {
        return Err(s3_error!(NotImplemented, "An object is not read by its parts"));
    }
    let reader = Reader {
        matches: input.if_match,
        none: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    let name = (input.bucket.as_str(), input.key.as_str(), input.version_id.as_deref());
    let (found, body, bytes) = objects.get(name, &reader, input.range).await?;
    let content = found.content;
    let whole = bytes.end - bytes.start == content.size;
    let sum = |name: &str| content.checksums.get(name).filter(|_| whole).cloned();
    answer(GetObjectOutput {
        body: Some(body),
        accept_ranges: Some("bytes".to_owned()),
        content_length: length(bytes.end - bytes.start),
        content_range: input.range.map(|_| {
            format!("bytes {}-{}/{}", bytes.start, bytes.end.saturating_sub(1), content.size)
        }),
        e_tag: Some(content.etag()),
        last_modified: Some(content.modified()),
        metadata: content.metadata(),
        version_id: content.versioned.then(|| content.version(found.id)),
        content_type: input.response_content_type.or(content.header("content-type")),
        content_encoding: input.response_content_encoding.or(content.header("content-encoding")),
        content_disposition: input
            .response_content_disposition
            .or(content.header("content-disposition")),
        content_language: input.response_content_language.or(content.header("content-language")),
        cache_control: input.response_cache_control.or(content.header("cache-control")),
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        ..GetObjectOutput::default()
    })
}

pub(super) async fn head_object(
    objects: &Objects,
    request: S3Request<HeadObjectInput>,
) -> Answer<HeadObjectOutput> {
    let input = request.input;
    let found = objects.find(&input.bucket, &input.key, input.version_id.as_deref()).await?;
    let reader = Reader {
        matches: input.if_match,
        none: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    let content = found.content;
    reader.check(&content)?;
    let sum = |name: &str| content.checksums.get(name).cloned();
    answer(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: length(content.size),
        e_tag: Some(content.etag()),
        last_modified: Some(content.modified()),
        metadata: content.metadata(),
        version_id: content.versioned.then(|| content.version(found.id)),
        content_type: content.header("content-type"),
        content_encoding: content.header("content-encoding"),
        content_disposition: content.header("content-disposition"),
        content_language: content.header("content-language"),
        cache_control: content.header("cache-control"),
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        ..HeadObjectOutput::default()
    })
}

pub(super) async fn copy_object(
    objects: &Objects,
    request: S3Request<CopyObjectInput>,
) -> Answer<CopyObjectOutput> {
    let input = request.input;
    let key = request.credentials.as_ref().map(|c| c.access_key.as_str());
    let source = objects.source(key, &input.copy_source).await?;
    let reader = Reader {
        matches: input.copy_source_if_match,
        none: input.copy_source_if_none_match,
        modified_since: input.copy_source_if_modified_since,
        unmodified_since: input.copy_source_if_unmodified_since,
    };
    // A copy is a write: what a reader has already is a failed condition here.
    reader.check(&source.content).map_err(|_| s3_error!(PreconditionFailed))?;
    let replace =
        input.metadata_directive.is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
    let replaced = replace.then(|| {
        described(
            [
                ("content-type", input.content_type),
                ("content-encoding", input.content_encoding),
                ("content-disposition", input.content_disposition),
                ("content-language", input.content_language),
                ("cache-control", input.cache_control),
            ],
            input.metadata,
        )
    });
    let to = (input.bucket.as_str(), input.key.as_str());
    let (content, version_id) = objects.copy(to, source.content, replaced).await?;
    let result = CopyObjectResult {
        e_tag: Some(content.etag()),
        last_modified: Some(content.modified()),
        ..CopyObjectResult::default()
    };
    answer(CopyObjectOutput {
        copy_object_result: Some(result),
        version_id,
        ..CopyObjectOutput::default()
    })
}

pub(super) async fn delete_object(
    objects: &Objects,
    request: S3Request<DeleteObjectInput>,
) -> Answer<DeleteObjectOutput> {
    let input = request.input;
    let condition = Condition { none: None, matches: input.if_match };
    let names = [(input.key, input.version_id)];
    let deleted =
        objects.remove(&input.bucket, &names, &condition).await?.pop().unwrap_or_default();
    answer(DeleteObjectOutput {
        delete_marker: deleted.marker.then_some(true),
        version_id: deleted.version,
        ..DeleteObjectOutput::default()
    })
}

pub(super) async fn delete_objects(
    objects: &Objects,
    request: S3Request<DeleteObjectsInput>,
) -> Answer<DeleteObjectsOutput> {
    let input = request.input;
    let names: Vec<_> = input.delete.objects.into_iter().map(|o| (o.key, o.version_id)).collect();
    let done = objects.remove(&input.bucket, &names, &Condition::default()).await?;
    let deleted = names.into_iter().zip(done).map(|((key, version_id), done)| DeletedObject {
        key: Some(key),
        delete_marker: done.marker.then_some(true),
        delete_marker_version_id: done.version.filter(|_| done.marker),
        version_id,
    });
    let deleted = (input.delete.quiet != Some(true)).then(|| deleted.collect());
    answer(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() })
}
