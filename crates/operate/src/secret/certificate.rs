//! Authorities of an instance: its own, which signs one for each machine that has to show others who it is. What
//! services show, the machines sign themselves.

use crate::{Failure, Kind};
use andamio_engine::{ErrorReport, now};
use andamio_manifest::{PRIVATE_KEY, signer_subject};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, GeneralSubtree,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256,
};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use time::OffsetDateTime;

/// Of the instance's authority, and of those that it signs: an environment that nobody touches lives as long.
const LIFE: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
/// Made anew by any `up` within this time before the end.
const EARLY: SignedDuration = SignedDuration::from_hours(365 * 24);
/// Clocks of machines differ.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);

/// A new authority for an instance: certificate and key, PEM, behind a line that says what it is for.
pub(super) fn authority(hosts: &[String]) -> Result<String, Failure> {
    let (key, until) = (key()?, after(LIFE));
    let certificate =
        params(&subject(hosts), 1, until).self_signed(&key).map_err(|e| failure(&e))?;
    Ok(format!("{}{}{}", head(hosts, until), certificate.pem(), key.serialize_pem()))
}

/// A new authority for a machine, which the instance's has signed: for these names and addresses, the machine's
/// name first, and for nobody else. Of an intruder on the machine all others believe no more than that.
pub(super) fn signer(hosts: &[String], authority: &str) -> Result<String, Failure> {
    let (instance, _) = described(authority).ok_or_else(garbled)?;
    let by_at = authority.find(PRIVATE_KEY).ok_or_else(garbled)?;
    let by = KeyPair::from_pem(authority.get(by_at..).unwrap_or_default());
    let by = by.map_err(|e| failure(&e))?;
    let issuer = Issuer::new(params(&subject(&instance), 1, after(LIFE)), by);
    let (key, until) = (key()?, after(LIFE));
    let machine = hosts.first().map_or("", String::as_str);
    let mut params = params(&signer_subject(machine), 0, until);
    let subtree = |host: &String| match host.parse::<IpAddr>() {
        Ok(ip) => GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
            ip,
            if ip.is_ipv4() { 32 } else { 128 },
        )),
        Err(_) => GeneralSubtree::DnsName(host.clone()),
    };
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: hosts.iter().map(subtree).collect(),
        excluded_subtrees: Vec::new(),
    });
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer).map_err(|e| failure(&e))?;
    // MariaDB's own client, which is not told whom to believe, accepts a chain that ends with who signed
    // itself, and none that ends before.
    let root = authority.find("-----BEGIN CERT").and_then(|from| authority.get(from..by_at));
    let root = root.ok_or_else(garbled)?;
    Ok(format!("{}{}{root}{}", head(hosts, until), certificate.pem(), key.serialize_pem()))
}

/// A new account with an authority that speaks ACME: its key behind its thumbprint (RFC 7638), which
/// whoever answers for the account has to know.
pub(super) fn account() -> Result<String, Failure> {
    let key = key()?;
    // An uncompressed point: 4, x and y of 32 bytes each.
    let point = key.public_key_raw();
    let (x, y) = point.get(1..).and_then(|xy| xy.split_at_checked(32)).ok_or_else(garbled)?;
    let (x, y) = (BASE64.encode(x), BASE64.encode(y));
    let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let thumbprint = BASE64.encode(Sha256::digest(jwk));
    Ok(format!("# {thumbprint}\n{}", key.serialize_pem()))
}

/// Does it name these hosts, and will it for a while?
pub(super) fn serves(text: &str, hosts: &[String]) -> bool {
    let late = now().saturating_add(EARLY).unwrap_or_default();
    described(text).is_some_and(|(named, until)| named == hosts && until > late)
}

/// Of an authority with so many others below it.
fn params(subject: &str, below: u8, until: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) =
        (moment(now().saturating_sub(BEFORE).unwrap_or_default()), moment(until));
    params
}

/// Of an instance's authority.
fn subject(instance: &[String]) -> String {
    format!("andamio {}", instance.first().map_or("", String::as_str))
}

fn key() -> Result<KeyPair, Failure> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| failure(&e))
}

/// Text before the first block of a PEM file is nothing to its readers.
fn head(hosts: &[String], until: Timestamp) -> String {
    format!("# {} until {until}\n", hosts.join(" "))
}

fn described(text: &str) -> Option<(Vec<String>, Timestamp)> {
    let (hosts, until) = text.lines().next()?.strip_prefix("# ")?.split_once(" until ")?;
    Some((hosts.split(' ').map(str::to_owned).collect(), until.parse().ok()?))
}

fn after(span: SignedDuration) -> Timestamp {
    let seconds = now().as_second();
    Timestamp::from_second(seconds.saturating_add(span.as_secs())).unwrap_or(Timestamp::MAX)
}

fn moment(time: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn failure(error: &rcgen::Error) -> Failure {
    Failure::error(Kind::Failed, "certificate", error, "this is a fault of Andamio")
}

fn garbled() -> Failure {
    let help = "remove the environment with `andamio down` and bring it up again";
    ErrorReport::new("certificate", "the authority in the state's secrets is damaged", help).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_for_the_same_hosts() {
        let hosts = ["db-1", "198.18.1.40", "localhost", "127.0.0.1"].map(str::to_owned);
        let authority = authority(&["dev@local".to_owned()]).unwrap();
        let text = signer(&hosts, &authority).unwrap();
        assert!(serves(&text, &hosts) && !serves(&text, &hosts[..1]));
        assert!(!serves("", &hosts) && !serves("# db-1 until now\n", &hosts[..1]));
        let old = text.replacen(
            &text[..text.find('\n').unwrap()],
            &head(&hosts, now())[..head(&hosts, now()).len() - 1],
            1,
        );
        assert!(!serves(&old, &hosts), "it ends today");
        assert!(signer(&hosts, "# x until y").is_err());
    }
}
