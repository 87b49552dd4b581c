//! How the authority is spoken to: HTTPS with the one TLS library.

use crate::failure::{Context, Failure, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const ANSWER: Duration = Duration::from_secs(20);
/// Bytes: a chain of certificates is the largest.
const LARGEST: usize = 1 << 20;

type Inner = Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>;

pub(super) struct Http(Inner);

impl Http {
    /// A client that trusts the public authorities, or only those of a PEM file.
    pub(super) fn new(file: Option<&str>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        match file {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(file) => {
                for certificate in CertificateDer::pem_file_iter(Path::new(file)).during(file)? {
                    roots.add(certificate.during(file)?).during(file)?;
                }
                if roots.is_empty() {
                    return Err(Failure::new(format!("no certificate in {file}")));
                }
            }
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .during("TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1();
        Ok(Self(Client::builder(TokioExecutor::new()).build(https.build())))
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
