//! How S3 is spoken to, for the S3 client of `object_store`.

use super::StoreError;
use super::place::Bucket;
use andamio_https::Client;
use async_trait::async_trait;
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Error;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector as Connect, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpService,
};
use std::io::ErrorKind;
use std::time::Duration;

/// For a whole answer.
const ANSWER: Duration = Duration::from_secs(20);
/// Bytes. A page of a listing has at most 1,000 names of 1,024 bytes (Amazon S3 API reference,
/// "ListObjectsV2"), and the state's objects are smaller.
const LARGEST: usize = 16 << 20;

#[derive(Debug, Clone)]
pub(super) struct Http {
    client: Client<HttpRequestBody>,
}

impl Http {
    /// A client that trusts the public authorities, or only those that the bucket names.
    pub(super) fn new(bucket: &Bucket) -> Result<Self, StoreError> {
        let client = andamio_https::client(bucket.authorities.as_deref(), bucket.is_plain())?;
        Ok(Self { client })
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.client.request(request).await.map_err(transport)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LARGEST).collect().await;
        let body = body.map_err(|e| HttpError::new_boxed(HttpErrorKind::Interrupted, e))?;
        Ok(HttpResponse::from_parts(parts, body.to_bytes().into()))
    }
}

impl Connect for Http {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Http {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        match tokio::time::timeout(ANSWER, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::new(
                HttpErrorKind::Timeout,
                std::io::Error::new(
                    ErrorKind::TimedOut,
                    format!("no answer in {} s", ANSWER.as_secs()),
                ),
            )),
        }
    }
}

/// Which of them are tried again is the S3 client's to say. A connection that ended before an answer
/// is: a creation that came through all the same is known by its mark (`Store::create`).
fn transport(error: Error) -> HttpError {
    let mut kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Unknown };
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        if let Some(tls) = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
            && tls.is::<rustls::Error>()
        {
            // Another try would not be trusted either.
            kind = HttpErrorKind::Unknown;
            break;
        }
        if let Some(http) = inner.downcast_ref::<hyper::Error>()
            && kind == HttpErrorKind::Unknown
            && (http.is_closed() || http.is_canceled() || http.is_incomplete_message())
        {
            kind = HttpErrorKind::Request;
        }
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && kind == HttpErrorKind::Unknown
        {
            kind = match io.kind() {
                ErrorKind::TimedOut => HttpErrorKind::Timeout,
                ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof => HttpErrorKind::Interrupted,
                _ => kind,
            };
        }
        cause = inner.source();
    }
    HttpError::new(kind, error)
}
