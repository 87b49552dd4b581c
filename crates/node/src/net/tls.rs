//! TLS with the instance's own authority: nobody else is trusted, and addresses are checked.

use crate::failure::{Context, Failure, Result};
use andamio_manifest::AUTHORITY;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// What a machine shows of itself: its certificate and key, one file.
type CertifiedKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Speaks TLS over a connection to `host`, an address; shows the machine's identity where one is named.
pub(crate) async fn connect(
    stream: TcpStream,
    host: &str,
    identity: Option<&str>,
) -> Result<client::TlsStream<TcpStream>> {
    let address: IpAddr = host.parse().during(format!("the address {host}"))?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .during("TLS")?
        .with_root_certificates(roots()?);
    let config = match identity {
        Some(file) => {
            let (certificates, key) = read(file)?;
            builder.with_client_auth_cert(certificates, key).during(file)?
        }
        None => builder.with_no_client_auth(),
    };
    let connector = TlsConnector::from(Arc::new(config));
    let connected = connector.connect(ServerName::IpAddress(address.into()), stream).await;
    connected.during(format!("TLS with {host}"))
}

/// Takes a connection from somebody who shows a certificate of the same authority.
pub(crate) async fn accept(
    stream: TcpStream,
    identity: &str,
) -> Result<server::TlsStream<TcpStream>> {
    let (certificates, key) = read(identity)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots()?), provider()).build();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .during("TLS")?
        .with_client_cert_verifier(verifier.during("TLS")?)
        .with_single_cert(certificates, key)
        .during(identity)?;
    TlsAcceptor::from(Arc::new(config)).accept(stream).await.during("TLS with the other server")
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(AUTHORITY)? {
        roots.add(certificate).during(AUTHORITY)?;
    }
    Ok(roots)
}

fn read(file: &str) -> Result<CertifiedKey> {
    let key = PrivateKeyDer::from_pem_file(Path::new(file)).during(file)?;
    Ok((certificates(file)?, key))
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(Path::new(file)).during(file)?;
    let all = read.collect::<std::result::Result<Vec<_>, _>>().during(file)?;
    if all.is_empty() { Err(Failure::new(format!("no certificate in {file}"))) } else { Ok(all) }
}
