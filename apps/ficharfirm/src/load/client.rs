//! A small HTTP client: kept connections, no redirects, no retries.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{
        Client as Inner,
        connect::{
            HttpConnector,
            dns::{GaiResolver, Name},
        },
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tower_service::Service;

use super::LoadError;
use crate::causes::causes;

/// Shorter than servers and balancers keep idle connections, so that none is used while it is being closed.
const IDLE: Duration = Duration::from_secs(4);

#[derive(Clone)]
pub(super) struct Client {
    inner: Inner<HttpsConnector<HttpConnector<Resolve>>, Full<Bytes>>,
    base: String,
}

/// What a request came to.
pub(super) enum Answer {
    Status(u16, Bytes),
    Connection(String),
}

impl Client {
    pub(super) fn new(url: &str, ca: Option<&Path>, to: Option<IpAddr>) -> Result<Self, LoadError> {
        let base = url.trim_end_matches('/').to_owned();
        let uri: hyper::Uri = base.parse().map_err(|_| LoadError::Url(url.into()))?;
        if uri.host().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(LoadError::Url(url.into()));
        }
        let resolve = match to {
            Some(address) => Resolve::Fixed(address),
            None => Resolve::System(GaiResolver::new()),
        };
        let mut http = HttpConnector::new_with_resolver(resolve);
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(super::TIMEOUT));
        let tls = ClientConfig::builder().with_root_certificates(roots(ca)?).with_no_client_auth();
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let inner = Inner::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .retry_canceled_requests(false)
            .build(https);
        Ok(Self { inner, base })
    }

    /// Sends a request and reads the whole answer; the caller sets the time for it.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<String>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = match request.body(Full::from(body.unwrap_or_default())) {
            Ok(request) => request,
            Err(error) => return Answer::Connection(error.to_string()),
        };
        let response = match self.inner.request(request).await {
            Ok(response) => response,
            Err(error) => return Answer::Connection(causes(&error)),
        };
        let status = response.status().as_u16();
        match response.into_body().collect().await {
            Ok(body) => Answer::Status(status, body.to_bytes()),
            Err(error) => Answer::Connection(causes(&error)),
        }
    }
}

/// Without a file: the public authorities, and those of Andamio's environments that this machine is part
/// of or carries.
fn roots(ca: Option<&Path>) -> Result<RootCertStore, LoadError> {
    let mut store = RootCertStore::empty();
    let Some(path) = ca else {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let here = std::fs::read_dir("/var/lib/andamio/instances").into_iter().flatten().flatten();
        let here = here.map(|entry| entry.path().join("authority.pem"));
        for path in here.chain([PathBuf::from("/etc/ssl/andamio-authority.pem")]) {
            // One that is not there is no reason to trust nobody else.
            let _ = add(&mut store, &path);
        }
        return Ok(store);
    };
    match add(&mut store, path) {
        Some(()) if !store.is_empty() => Ok(store),
        _ => Err(LoadError::Ca(path.display().to_string())),
    }
}

fn add(store: &mut RootCertStore, path: &Path) -> Option<()> {
    for certificate in CertificateDer::pem_file_iter(path).ok()? {
        store.add(certificate.ok()?).ok()?;
    }
    Some(())
}

/// The system's names, or one address for all of them.
#[derive(Clone)]
enum Resolve {
    System(GaiResolver),
    Fixed(IpAddr),
}

type Addresses = std::vec::IntoIter<SocketAddr>;

impl Service<Name> for Resolve {
    type Response = Addresses;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Addresses, std::io::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self {
            Self::System(system) => system.poll_ready(cx),
            Self::Fixed(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, name: Name) -> Self::Future {
        match self {
            Self::System(system) => {
                let resolving = system.call(name);
                Box::pin(async move { Ok(resolving.await?.collect::<Vec<_>>().into_iter()) })
            }
            Self::Fixed(address) => {
                let address = SocketAddr::new(*address, 0);
                Box::pin(async move { Ok(vec![address].into_iter()) })
            }
        }
    }
}

/// Shared by all requests of a load.
pub(super) type Shared = Arc<Client>;
