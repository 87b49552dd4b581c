//! How the authority is spoken to, for the client of `instant-acme`.

use crate::failure::{Context, Result};
use andamio_https::Client;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

const ANSWER: Duration = Duration::from_secs(20);
/// Bytes: a chain of certificates is the largest.
const LARGEST: usize = 1 << 20;

pub(super) struct Http(Client<BodyWrapper<Bytes>>);

impl Http {
    /// A client that trusts the public authorities, or only those of a PEM file.
    pub(super) fn new(file: Option<&str>) -> Result<Self> {
        let client = andamio_https::client(file.map(Path::new), false);
        Ok(Self(client.during("the authority's address")?))
    }
}

type Pending = Pin<Box<dyn Future<Output = std::result::Result<BytesResponse, Error>> + Send>>;

impl HttpClient for Http {
    fn request(&self, request: http::Request<BodyWrapper<Bytes>>) -> Pending {
        let sent = self.0.request(request);
        Box::pin(async move {
            let whole = async {
                let (parts, body) = sent.await.map_err(|e| Error::Other(Box::new(e)))?.into_parts();
                let body = Limited::new(body, LARGEST).collect().await.map_err(Error::Other)?;
                Ok(BytesResponse { parts, body: Box::new(body.to_bytes()) })
            };
            match tokio::time::timeout(ANSWER, whole).await {
                Ok(answer) => answer,
                Err(late) => Err(Error::Other(Box::new(late))),
            }
        })
    }
}
