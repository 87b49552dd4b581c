//! A bucket's lifecycle rules: kept and shown as they were given. Nothing carries them out.

use crate::store::Record;
use s3s::dto::{BucketLifecycleConfiguration, LifecycleRule};
use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};
use s3s::{S3Result, s3_error};

/// Of the bucket's record: XML.
pub(super) const FIELD: &str = "lifecycle";

pub(super) fn text(rules: &BucketLifecycleConfiguration) -> S3Result<String> {
    let mut text = Vec::new();
    let written = rules.serialize(&mut Serializer::new(&mut text));
    written.map_err(|error| s3_error!(error, InternalError))?;
    String::from_utf8(text).map_err(|error| s3_error!(error, InternalError))
}

pub(super) fn read(bucket: &Record) -> S3Result<Option<Vec<LifecycleRule>>> {
    let Some(text) = bucket.hidden.get(FIELD).and_then(|text| text.as_str()) else {
        return Ok(None);
    };
    let read = BucketLifecycleConfiguration::deserialize(&mut Deserializer::new(text.as_bytes()));
    Ok(Some(read.map_err(|error| s3_error!(error, InternalError))?.rules))
}
