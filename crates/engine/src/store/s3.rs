//! A bucket as the backend of a state: who is trusted, what its errors mean, and the proof that it
//! refuses to create a name twice, which the lock and the ledger stand on.

use super::StoreError;
use super::http::Http;
use super::place::Bucket;
use futures_util::future::join_all;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    Attribute, Attributes, BackoffConfig, Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, RetryConfig,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// At most this many other tries of a request, and no new one after [`PATIENCE`]: a service that is
/// away is told within seconds.
const TRIES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(20);
/// Metadata that tells whose an object is when an answer was lost.
const MARK: &str = "andamio-writer";
/// At the root of the state: this bucket has been proven.
const PROOF: &str = "conditional-create.json";
/// Writers that want the same name at once. A service that looks first and writes then lets several of
/// them through.
const RIVALS: usize = 8;

/// What is remembered of a proof. Copied to another service it says nothing.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Proof {
    v: u32,
    service: String,
    bucket: String,
}

pub(super) struct Remote {
    bucket: Bucket,
    proven: OnceCell<()>,
}

pub(super) fn open(bucket: &Bucket) -> Result<(Arc<dyn ObjectStore>, Remote), StoreError> {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 2.,
    };
    let retry = RetryConfig { backoff, max_retries: TRIES, retry_timeout: PATIENCE };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_access_key_id(&bucket.key.id)
        .with_secret_access_key(&bucket.key.secret.0)
        .with_retry(retry)
        // Few objects are forgotten at a time, and not every service knows the request for many.
        .with_disable_bulk_delete(true)
        .with_http_connector(Http::new(bucket)?);
    if let Some(token) = &bucket.key.token {
        builder = builder.with_token(&token.0);
    }
    if let Some(endpoint) = &bucket.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let s3 =
        builder.build().map_err(|source| StoreError::Open { place: bucket.to_string(), source })?;
    let backend = Arc::new(PrefixStore::new(s3, bucket.prefix.as_str()));
    Ok((backend, Remote { bucket: bucket.clone(), proven: OnceCell::new() }))
}

impl Remote {
    /// Creates an object; false when the name is taken. An answer that was lost is asked for again,
    /// and the answer to that names this very creation as the one that took it.
    pub(super) async fn create(
        &self,
        backend: &dyn ObjectStore,
        path: &Path,
        body: Vec<u8>,
    ) -> Result<bool, Error> {
        let mark = mark();
        let attributes = Attributes::from_iter([(Attribute::Metadata(MARK.into()), mark.clone())]);
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        match backend.put_opts(path, body.into(), options).await {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. }) => {
                let head = GetOptions { head: true, ..GetOptions::default() };
                match backend.get_opts(path, head).await {
                    Ok(got) => {
                        let written = got.attributes.get(&Attribute::Metadata(MARK.into()));
                        Ok(written.is_some_and(|value| value.as_ref() == mark))
                    }
                    // Taken and gone again, or in the hands of somebody who gets it or not.
                    Err(Error::NotFound { .. }) => Ok(false),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Before the first write of this process: has anybody shown that the bucket keeps to
    /// `If-None-Match: *`? Else it is shown now. What is shown is that rivals and latecomers lose; no
    /// test shows that they always will.
    pub(super) async fn prove(&self, backend: &dyn ObjectStore) -> Result<(), StoreError> {
        self.proven.get_or_try_init(|| self.proof(backend)).await.map(|_| ())
    }

    async fn proof(&self, backend: &dyn ObjectStore) -> Result<(), StoreError> {
        let proof =
            Proof { v: 1, service: self.bucket.service(), bucket: self.bucket.name.clone() };
        let path = Path::from(PROOF);
        match backend.get(&path).await {
            Ok(got) => {
                let body = got.bytes().await.map_err(|e| self.failure("read", PROOF, &e))?;
                if serde_json::from_slice::<Proof>(&body).is_ok_and(|known| known == proof) {
                    return Ok(());
                }
            }
            Err(ref error @ Error::NotFound { .. }) if !lacks_bucket(error) => {}
            Err(error) => return Err(self.failure("read", PROOF, &error)),
        }
        if let Some(reason) = self.contest(backend).await? {
            return Err(StoreError::Unconditional { place: self.bucket.to_string(), reason });
        }
        let body = serde_json::to_vec_pretty(&proof).unwrap_or_default();
        let written = backend.put(&path, body.into()).await;
        written.map(|_| ()).map_err(|e| self.failure("write", PROOF, &e))
    }

    /// Rivals, and one who comes when all is over, create the same object: why that is no proof.
    async fn contest(&self, backend: &dyn ObjectStore) -> Result<Option<String>, StoreError> {
        let key = format!("conditional-create-{}.json", mark());
        let path = Path::from(key.as_str());
        let rival = |_| self.create(backend, &path, mark().into_bytes());
        let mut entries = join_all((0..RIVALS).map(rival)).await;
        entries.push(rival(RIVALS).await);
        // Nobody looks for it again, so it may also stay.
        let _ = backend.delete(&path).await;
        let mut winners = 0;
        for entry in entries {
            match entry {
                Ok(true) => winners += 1,
                Ok(false) => {}
                // Says by itself that it knows no such condition.
                Err(error) if status(&error).is_some_and(|s| s.starts_with("501")) => {
                    return Ok(Some("it answers 501 Not Implemented".to_owned()));
                }
                Err(error) => return Err(self.failure("write", &key, &error)),
            }
        }
        let reason = format!("of {} writers {winners} created the same object", RIVALS + 1);
        Ok((winners > 1).then_some(reason))
    }

    /// Place and reason in one line, without addresses that nobody asked for.
    pub(super) fn failure(&self, doing: &'static str, key: &str, error: &Error) -> StoreError {
        let (place, key) = (self.bucket.to_string(), key.to_owned());
        let text = error.to_string();
        let code = element(&text, "Code");
        let reason = match (code, element(&text, "Message"), status(error)) {
            (Some(code), Some(message), _) => format!("{} ({})", line(message), line(code)),
            (Some(code), None, _) => line(code),
            (None, _, Some(status)) => format!("it answers {}", line(status)),
            (None, _, None) => line(root(error)),
        };
        let denied = status(error).is_some_and(|s| s.starts_with("401") || s.starts_with("403"));
        if denied || code.is_some_and(|code| CREDENTIAL_CODES.contains(&code)) {
            return StoreError::Credentials { place, reason };
        }
        StoreError::Bucket { place, doing, key, reason }
    }
}

/// Codes of requests that are refused for who asks (Amazon S3 API reference, "Error responses"). A
/// failed listing comes without its status, and not all of them are 401 or 403.
const CREDENTIAL_CODES: &[&str] = &[
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "NotSignedUp",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

/// 128 random bits; should the system have none, the time in nanoseconds and the process.
fn mark() -> String {
    let mut random = [0_u8; 16];
    if getrandom::fill(&mut random).is_err() {
        let now = jiff::Timestamp::now().as_nanosecond();
        return format!("{now:x}-{:x}", std::process::id());
    }
    hex::encode(random)
}

/// The text of an element of the XML that S3 puts its reasons into.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// Is it the bucket that is not there, and not the object?
fn lacks_bucket(error: &Error) -> bool {
    element(&error.to_string(), "Code") == Some("NoSuchBucket")
}

/// `403 Forbidden`, where there was an answer.
fn status(error: &Error) -> Option<String> {
    let text = error.to_string();
    let (_, rest) = text.split_once("status code: ")?;
    Some(rest.split(':').next().unwrap_or_default().trim().to_owned())
}

/// The innermost cause: `Connection refused`, `invalid peer certificate`.
fn root(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// What somebody else said, as one short line.
fn line(text: impl AsRef<str>) -> String {
    let text = text.as_ref().chars().map(|c| if c.is_control() { ' ' } else { c });
    text.take(200).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_one_line_of_what_the_service_said() {
        let text = "PUT … - Server returned non-2xx status code: 403 Forbidden: <?xml?><Error>\
                    <Code>SignatureDoesNotMatch</Code><Message>not\u{1b}[2J the\nsame</Message>\
                    <StringToSign>AWS4</StringToSign></Error>";
        let error =
            Error::PermissionDenied { path: "x".to_owned(), source: text.to_owned().into() };
        let access = super::super::place::S3Config {
            endpoint: Some("https://s3.example".to_owned()),
            key_id: Some("id".to_owned()),
            secret: Some(super::super::place::Secret("hunter2".to_owned())),
            ..Default::default()
        };
        let bucket = Bucket::new("shop", "", access).unwrap();
        let remote = Remote { bucket, proven: OnceCell::new() };
        let says = remote.failure("write", "dev.local/lock/0000000001.json", &error).to_string();
        let expected = "no access to s3://shop at https://s3.example: \
                        not [2J the same (SignatureDoesNotMatch)";
        assert_eq!(says, expected);
    }
}
