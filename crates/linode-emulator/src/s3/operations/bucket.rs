//! Buckets: API v4 makes and removes them; here they are found and configured.

use super::{Answer, answer};
use crate::s3::content::{self, bucket};
use crate::s3::{Objects, access, lifecycle};
use crate::store::{Kind, Record, State};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};
use std::sync::Arc;

impl Objects {
    async fn bucket(&self, label: &str) -> S3Result<Arc<Record>> {
        self.app.read(|state: &State| bucket(state, label).cloned()).await
    }
}

pub(super) async fn list_buckets(
    objects: &Objects,
    request: S3Request<ListBucketsInput>,
) -> Answer<ListBucketsOutput> {
    let key = request.credentials.as_ref().map(|c| c.access_key.as_str());
    let listed = |state: &State| {
        let mine = state.all(Kind::Bucket);
        let mine = mine.filter(|b| access::may(state, key, Some(b.text("label")), true));
        let mine = mine.map(|bucket| Bucket {
            name: Some(bucket.text("label").to_owned()),
            creation_date: Timestamp::parse(
                TimestampFormat::DateTime,
                &format!("{}Z", bucket.text("created")),
            )
            .ok(),
            bucket_region: Some(bucket.text("region").to_owned()),
        });
        Ok::<Vec<Bucket>, s3s::S3Error>(mine.collect())
    };
    let mut buckets = objects.app.read(listed).await?;
    buckets.sort_by(|a, b| a.name.cmp(&b.name));
    answer(ListBucketsOutput { buckets: Some(buckets), ..ListBucketsOutput::default() })
}

pub(super) async fn head_bucket(
    objects: &Objects,
    request: S3Request<HeadBucketInput>,
) -> Answer<HeadBucketOutput> {
    let bucket = objects.bucket(&request.input.bucket).await?;
    let bucket_region = Some(bucket.text("region").to_owned());
    answer(HeadBucketOutput { bucket_region, ..HeadBucketOutput::default() })
}

pub(super) async fn get_bucket_location(
    objects: &Objects,
    request: S3Request<GetBucketLocationInput>,
) -> Answer<GetBucketLocationOutput> {
    let region = objects.bucket(&request.input.bucket).await?.text("region").to_owned();
    let location_constraint = Some(BucketLocationConstraint::from(region));
    answer(GetBucketLocationOutput { location_constraint })
}

pub(super) async fn get_bucket_versioning(
    objects: &Objects,
    request: S3Request<GetBucketVersioningInput>,
) -> Answer<GetBucketVersioningOutput> {
    let bucket = objects.bucket(&request.input.bucket).await?;
    let status = content::versioning(&bucket).map(|s| BucketVersioningStatus::from(s.to_owned()));
    answer(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() })
}

pub(super) async fn put_bucket_versioning(
    objects: &Objects,
    request: S3Request<PutBucketVersioningInput>,
) -> Answer<PutBucketVersioningOutput> {
    let wanted = request.input.versioning_configuration.status;
    let wanted = wanted.filter(|s| ["Enabled", "Suspended"].contains(&s.as_str()));
    let wanted = wanted.ok_or_else(|| s3_error!(MalformedXML))?;
    objects.configure(&request.input.bucket, "versioning", wanted.as_str().into()).await?;
    answer(PutBucketVersioningOutput::default())
}

pub(super) async fn get_bucket_lifecycle_configuration(
    objects: &Objects,
    request: S3Request<GetBucketLifecycleConfigurationInput>,
) -> Answer<GetBucketLifecycleConfigurationOutput> {
    let bucket = objects.bucket(&request.input.bucket).await?;
    let rules = lifecycle::read(&bucket)?;
    let rules = rules.ok_or_else(|| s3_error!(NoSuchLifecycleConfiguration))?;
    answer(GetBucketLifecycleConfigurationOutput {
        rules: Some(rules),
        ..GetBucketLifecycleConfigurationOutput::default()
    })
}

pub(super) async fn put_bucket_lifecycle_configuration(
    objects: &Objects,
    request: S3Request<PutBucketLifecycleConfigurationInput>,
) -> Answer<PutBucketLifecycleConfigurationOutput> {
    let wanted = request.input.lifecycle_configuration;
    let wanted = wanted.ok_or_else(|| s3_error!(MalformedXML))?;
    let text = lifecycle::text(&wanted)?;
    objects.configure(&request.input.bucket, lifecycle::FIELD, text.into()).await?;
    answer(PutBucketLifecycleConfigurationOutput::default())
}

pub(super) async fn delete_bucket_lifecycle(
    objects: &Objects,
    request: S3Request<DeleteBucketLifecycleInput>,
) -> Answer<DeleteBucketLifecycleOutput> {
    let nothing = serde_json::Value::Null;
    objects.configure(&request.input.bucket, lifecycle::FIELD, nothing).await?;
    answer(DeleteBucketLifecycleOutput::default())
}
