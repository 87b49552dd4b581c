//! Uploads in parts.

use super::listing::most;
use super::{Answer, answer};
use crate::s3::content::{Condition, Content};
use crate::s3::object::described;
use crate::s3::sums::Sums;
use crate::s3::{Objects, sign};
use s3s::dto::*;
use s3s::{S3Request, s3_error};

pub(super) async fn create_multipart_upload(
    objects: &Objects,
    request: S3Request<CreateMultipartUploadInput>,
) -> Answer<CreateMultipartUploadOutput> {
    let input = request.input;
    let mut content = described(
        [
            ("content-type", input.content_type),
            ("content-encoding", input.content_encoding),
            ("content-disposition", input.content_disposition),
            ("content-language", input.content_language),
            ("cache-control", input.cache_control),
        ],
        input.metadata,
    );
    content.modified_ms = Content::now();
    let upload_id = objects.begin(&input.bucket, &input.key, content).await?;
    answer(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload_id),
        ..CreateMultipartUploadOutput::default()
    })
}

pub(super) async fn upload_part(
    objects: &Objects,
    request: S3Request<UploadPartInput>,
) -> Answer<UploadPartOutput> {
    let input = request.input;
    let sums =
        Sums::new(&request.headers, input.checksum_algorithm.as_ref(), request.trailing_headers);
    let body = input.body.unwrap_or_else(|| s3s::Body::empty().into());
    let upload = (input.bucket.as_str(), input.key.as_str(), input.upload_id.as_str());
    let content = objects.part(upload, input.part_number, body, sums).await?;
    let sum = |name: &str| content.checksums.get(name).cloned();
    answer(UploadPartOutput {
        e_tag: Some(content.etag()),
        checksum_crc32: sum("crc32"),
        checksum_crc32c: sum("crc32c"),
        checksum_crc64nvme: sum("crc64nvme"),
        checksum_sha1: sum("sha1"),
        checksum_sha256: sum("sha256"),
        ..UploadPartOutput::default()
    })
}

pub(super) async fn upload_part_copy(
    objects: &Objects,
    request: S3Request<UploadPartCopyInput>,
) -> Answer<UploadPartCopyOutput> {
    let input = request.input;
    let key = request.credentials.as_ref().map(|c| c.access_key.as_str());
    let source = objects.source(key, &input.copy_source).await?.content;
    let range = input.copy_source_range.as_deref().map(Range::parse).transpose();
    let range = range.map_err(|error| s3_error!(error, InvalidArgument))?;
    let bytes = range.map_or(Ok(0..source.size), |range| range.check(source.size))?;
    let body = objects.files.read(&source, bytes).await?;
    let upload = (input.bucket.as_str(), input.key.as_str(), input.upload_id.as_str());
    let content = objects.part(upload, input.part_number, body, Sums::plain()).await?;
    let result = CopyPartResult {
        e_tag: Some(content.etag()),
        last_modified: Some(content.modified()),
        ..CopyPartResult::default()
    };
    answer(UploadPartCopyOutput {
        copy_part_result: Some(result),
        ..UploadPartCopyOutput::default()
    })
}

pub(super) async fn complete_multipart_upload(
    objects: &Objects,
    request: S3Request<CompleteMultipartUploadInput>,
) -> Answer<CompleteMultipartUploadOutput> {
    let input = request.input;
    let condition = Condition { none: input.if_none_match, matches: input.if_match };
    let upload = (input.bucket.as_str(), input.key.as_str(), input.upload_id.as_str());
    let (content, version_id) = objects.complete(upload, input.multipart_upload, condition).await?;
    answer(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, sign::encode(&input.key, true))),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(content.etag()),
        version_id,
        ..CompleteMultipartUploadOutput::default()
    })
}

pub(super) async fn abort_multipart_upload(
    objects: &Objects,
    request: S3Request<AbortMultipartUploadInput>,
) -> Answer<AbortMultipartUploadOutput> {
    let input = request.input;
    objects.abort((&input.bucket, &input.key, &input.upload_id)).await?;
    answer(AbortMultipartUploadOutput::default())
}

pub(super) async fn list_parts(
    objects: &Objects,
    request: S3Request<ListPartsInput>,
) -> Answer<ListPartsOutput> {
    let input = request.input;
    let (most, _) = most(input.max_parts)?;
    let after = input.part_number_marker.unwrap_or_default();
    answer(objects.parts((&input.bucket, &input.key, &input.upload_id), after, most).await?)
}

pub(super) async fn list_multipart_uploads(
    objects: &Objects,
    request: S3Request<ListMultipartUploadsInput>,
) -> Answer<ListMultipartUploadsOutput> {
    let input = request.input;
    let uploads =
        objects.uploads(&input.bucket, input.prefix.as_deref().unwrap_or_default()).await?;
    answer(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: input.prefix,
        is_truncated: Some(false),
        max_uploads: i32::try_from(uploads.len()).ok(),
        uploads: Some(uploads),
        ..ListMultipartUploadsOutput::default()
    })
}
