//! The one way in which services elsewhere are spoken to: HTTP/1.1, with whose certificates are believed said
//! in one place. What is asked, and what becomes of an answer, is the caller's.

use hyper::body::Body;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Builder;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error as StdError;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub type Client<B> = hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, B>;

/// Someone waits at a terminal: long enough for a distant continent, several tries fit into a minute.
const CONNECT: Duration = Duration::from_secs(5);
/// Short, so that a connection which the service has given up is seldom taken for a live one.
const IDLE: Duration = Duration::from_secs(15);
/// Servers that close idle connections soonest do after 2 s, and a request on one that is being closed would
/// count as a failure.
const SHORT_IDLE: Duration = Duration::from_millis(1500);

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("cannot take certificates from {file}: {problem}")]
    Authorities { file: String, problem: String },
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// A client that trusts the public authorities, or only those of a PEM file. `plain` is for services that
/// were named with `http://`.
///
/// # Errors
/// When the file has no certificates that can be read.
pub fn client<B>(authorities: Option<&Path>, plain: bool) -> Result<Client<B>, Error>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let tls = HttpsConnectorBuilder::new().with_tls_config(tls(roots(authorities)?)?);
    let schemes = if plain { tls.https_or_http() } else { tls.https_only() };
    Ok(builder().pool_idle_timeout(IDLE).build(schemes.enable_http1().wrap_connector(tcp(CONNECT))))
}

/// A client that measures: what it is told is what happened, so it sends nothing a second time. It trusts an
/// authority's file beside the public ones. `name` is whose certificate is wanted, where the URL has an address.
///
/// # Errors
/// When the file has no certificates that can be read, or nobody can have that name.
pub fn measuring<B>(
    authority: Option<&Path>,
    name: Option<&str>,
    patience: Duration,
) -> Result<Client<B>, Error>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let mut trusted = roots(None)?;
    if let Some(file) = authority {
        trusted.roots.extend(roots(Some(file))?.roots);
    }
    let schemes = HttpsConnectorBuilder::new().with_tls_config(tls(trusted)?).https_or_http();
    let schemes = match name {
        Some(name) => {
            let name =
                ServerName::try_from(name.to_owned()).map_err(|e| Error::Tls(e.to_string()))?;
            schemes.with_server_name_resolver(FixedServerNameResolver::new(name))
        }
        None => schemes,
    };
    let mut builder = builder();
    builder.pool_idle_timeout(SHORT_IDLE).retry_canceled_requests(false);
    Ok(builder.build(schemes.enable_http1().wrap_connector(tcp(patience))))
}

fn builder() -> Builder {
    let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new());
    builder
}

fn tcp(patience: Duration) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(patience));
    tcp
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Tls(e.to_string()))?;
    Ok(tls.with_root_certificates(roots).with_no_client_auth())
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let no = |problem: String| Error::Authorities { file: file.display().to_string(), problem };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|e| no(e.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| no(e.to_string()))?;
        roots.add(certificate).map_err(|e| no(e.to_string()))?;
    }
    if roots.is_empty() { Err(no("no certificate in it".to_owned())) } else { Ok(roots) }
}
