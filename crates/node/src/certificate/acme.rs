//! The balancer's certificate for the application's name, from an authority that speaks ACME (RFC 8555).
//!
//! The balancers answer the authority's question themselves, every one of them for all: the answer is the
//! question and the thumbprint of the instance's account. So each gets a certificate of its own, and no
//! key leaves its machine.

use super::http::Http;
use super::validity::{days, now, validity};
use crate::disk;
use crate::failure::{Context, Failure, Result};
use crate::machine::accounts::Accounts;
use crate::machine::systemd::Systemd;
use andamio_manifest::{ACME_ACCOUNT, CERTIFIED, ENTRY};
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, Key, NewOrder, Order as Ordered,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use std::path::Path;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// An authority asks from several places of the world, and may be slow.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(60));
const SERVICE: &str = "haproxy.service";

/// What to ask of whom.
pub struct Order<'a> {
    /// URL of the authority's directory.
    pub directory: &'a str,
    /// Mail address.
    pub contact: &'a str,
    pub domain: &'a str,
    /// PEM file of whom the directory is believed by; without it the public authorities.
    pub roots: Option<&'a str>,
}

/// Gets the certificate where there is none, or where less than a third of its time is left, and has the
/// balancer take it up; answers in a sentence what is there now.
///
/// # Errors
/// When the authority does not give one; what was there before stays in use.
pub async fn certificate(order: &Order<'_>) -> Result<String> {
    let path = Path::new(ENTRY).join("acme.pem");
    let head = format!("# {} from {}\n", order.domain, order.directory);
    if let Some(kept) = disk::read(&path)? {
        let kept = String::from_utf8_lossy(&kept).into_owned();
        if kept.starts_with(&head)
            && let Some((from, until)) = validity(&kept)
            && until.saturating_sub(now()) > until.saturating_sub(from) / 3
        {
            return Ok(format!("the certificate is good for {} more", days(until)));
        }
    }
    let text = format!("{head}{}", obtain(order).await?);
    let (_, until) = validity(&text)
        .ok_or_else(|| Failure::new("the authority's answer is not a certificate"))?;
    put(&path, &text).await?;
    Ok(format!("a new certificate, good for {}", days(until)))
}

async fn put(path: &Path, text: &str) -> Result<()> {
    let owner = Accounts::read()?.ids("root", "haproxy")?;
    let candidate = disk::stage(path, text.as_bytes(), 0o640, Some(owner))?;
    disk::commit(&candidate, path)?;
    disk::write(Path::new(CERTIFIED), b"yes\n", 0o644)?;
    Systemd::connect().await?.job("ReloadUnit", SERVICE).await
}

/// Chain and key, PEM.
async fn obtain(order: &Order<'_>) -> Result<String> {
    let asked = |e: instant_acme::Error| Failure::new(format!("{}: {e}", order.directory));
    let account = account(order).await?;
    let names = [Identifier::Dns(order.domain.to_owned())];
    let mut pending = account.new_order(&NewOrder::new(&names)).await.map_err(asked)?;
    let mut authorizations = pending.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(asked)?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization
            .challenge(ChallengeType::Http01)
            .ok_or_else(|| Failure::new("the authority does not ask over HTTP"))?;
        challenge.set_ready().await.map_err(asked)?;
    }
    if pending.poll_ready(&PATIENCE).await.map_err(asked)? != OrderStatus::Ready {
        return Err(refusal(order, &mut pending).await);
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).during("a new key")?;
    let mut params = CertificateParams::new(vec![order.domain.to_owned()]).during("the request")?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key).during("the request")?;
    pending.finalize_csr(request.der()).await.map_err(asked)?;
    let chain = pending.poll_certificate(&PATIENCE).await.map_err(asked)?;
    Ok(format!("{}\n{}", chain.trim_end(), key.serialize_pem()))
}

/// The instance's, which it has everywhere; made by whoever is first.
async fn account(order: &Order<'_>) -> Result<Account> {
    let asked = |e: instant_acme::Error| Failure::new(format!("{}: {e}", order.directory));
    let der = PrivatePkcs8KeyDer::from_pem_file(ACME_ACCOUNT).during(ACME_ACCOUNT)?;
    let key = Key::from_pkcs8_der(der.clone_key()).map_err(asked)?;
    let http = Box::new(Http::new(order.roots)?);
    let (account, _) = Account::builder_with_http(http)
        .create_from_key((key, PrivateKeyDer::Pkcs8(der)), order.directory.to_owned())
        .await
        .map_err(asked)?;
    let contact = format!("mailto:{}", order.contact);
    account.update_contacts(&[&contact]).await.map_err(asked)?;
    Ok(account)
}

/// Why the name was not believed, in the authority's words.
async fn refusal(order: &Order<'_>, pending: &mut Ordered) -> Failure {
    let mut why = Vec::new();
    let mut authorizations = pending.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let problems = authorization.challenges.iter().filter_map(|c| c.error.as_ref());
        why.extend(problems.map(ToString::to_string));
    }
    why.sort();
    why.dedup();
    let why = if why.is_empty() { "no reason given".to_owned() } else { why.join("; ") };
    Failure::new(format!(
        "{} does not believe that {} is here: {why}. Does the name's address lead to the balancers' port 80?",
        order.directory, order.domain
    ))
}
