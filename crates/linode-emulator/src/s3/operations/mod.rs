//! The operations of S3 that there are. All others answer 501, which is s3s's own default.

mod bucket;
mod listing;
mod multipart;
mod object;

use super::Objects;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};

type Answer<T> = S3Result<S3Response<T>>;

fn answer<T>(output: T) -> Answer<T> {
    Ok(S3Response::new(output))
}

fn length(bytes: u64) -> Option<i64> {
    i64::try_from(bytes).ok()
}

/// The trait is one table: who does it, its name, what it gets, what it answers.
macro_rules! operations {
    ($($module:ident { $($name:ident: $input:ty => $output:ty;)* })*) => {
        #[async_trait::async_trait]
        impl S3 for Objects {
            $($(async fn $name(&self, request: S3Request<$input>) -> Answer<$output> {
                $module::$name(self, request).await
            })*)*
        }
    };
}

operations! {
    bucket {
        list_buckets: ListBucketsInput => ListBucketsOutput;
        head_bucket: HeadBucketInput => HeadBucketOutput;
        get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput;
        get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput;
        put_bucket_versioning: PutBucketVersioningInput => PutBucketVersioningOutput;
        get_bucket_lifecycle_configuration:
            GetBucketLifecycleConfigurationInput => GetBucketLifecycleConfigurationOutput;
        put_bucket_lifecycle_configuration:
            PutBucketLifecycleConfigurationInput => PutBucketLifecycleConfigurationOutput;
        delete_bucket_lifecycle: DeleteBucketLifecycleInput => DeleteBucketLifecycleOutput;
    }
    listing {
        list_objects_v2: ListObjectsV2Input => ListObjectsV2Output;
        list_objects: ListObjectsInput => ListObjectsOutput;
        list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput;
    }
    object {
        put_object: PutObjectInput => PutObjectOutput;
        get_object: GetObjectInput => GetObjectOutput;
        head_object: HeadObjectInput => HeadObjectOutput;
        copy_object: CopyObjectInput => CopyObjectOutput;
        delete_object: DeleteObjectInput => DeleteObjectOutput;
        delete_objects: DeleteObjectsInput => DeleteObjectsOutput;
    }
    multipart {
        create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput;
        upload_part: UploadPartInput => UploadPartOutput;
        upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput;
        complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput;
        abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput;
        list_parts: ListPartsInput => ListPartsOutput;
        list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput;
    }
}
