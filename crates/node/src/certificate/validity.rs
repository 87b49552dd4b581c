//! How long a certificate holds, read from its file.

use crate::disk;
use crate::failure::{Failure, Result};
use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{Decode, Reader, SliceReader, Tag, Tagged};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// Does a file's certificate hold for more than so many days?
///
/// # Errors
/// When it does not, or is not one.
pub(crate) fn holds(path: &str, more_than: u64) -> Result<()> {
    let text = disk::read(Path::new(path))?.unwrap_or_default();
    let (_, until) = validity(&String::from_utf8_lossy(&text))
        .ok_or_else(|| Failure::new(format!("{path} has no certificate")))?;
    if until.saturating_sub(now()) / 86_400 >= more_than {
        return Ok(());
    }
    Err(Failure::new(match until.checked_sub(now()) {
        Some(_) => format!("its certificate ends in {}: `andamio up` makes a new one", days(until)),
        None => "its certificate is over: `andamio up` makes a new one".to_owned(),
    }))
}

/// Seconds since 1970 between which the first certificate of a PEM file holds.
pub(super) fn validity(pem: &str) -> Option<(u64, u64)> {
    let der = CertificateDer::pem_slice_iter(pem.as_bytes()).next()?.ok()?;
    let mut fields = inside(&inside(&AnyRef::from_der(&der).ok()?)?.next()?)?;
    // The version is left out where it is the first (RFC 5280, 4.1).
    let first = fields.next()?;
    let skip = if matches!(first.tag(), Tag::ContextSpecific { .. }) { 3 } else { 2 };
    let mut times = inside(&fields.nth(skip)?)?;
    Some((seconds(&times.next()?)?, seconds(&times.next()?)?))
}

/// The values that a sequence is made of.
fn inside<'a>(value: &AnyRef<'a>) -> Option<impl Iterator<Item = AnyRef<'a>> + use<'a>> {
    let mut reader = SliceReader::new(value.value()).ok()?;
    Some(std::iter::from_fn(move || {
        if reader.is_finished() { None } else { AnyRef::decode(&mut reader).ok() }
    }))
}

fn seconds(time: &AnyRef<'_>) -> Option<u64> {
    let since = match time.tag() {
        Tag::UtcTime => time.decode_as::<UtcTime>().ok()?.to_unix_duration(),
        _ => time.decode_as::<GeneralizedTime>().ok()?.to_unix_duration(),
    };
    Some(since.as_secs())
}

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

pub(super) fn days(until: u64) -> String {
    let hours = until.saturating_sub(now()) / 3600;
    if hours < 48 { format!("{hours} hours") } else { format!("{} days", hours / 24) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    #[test]
    fn a_certificate_says_how_long_it_holds() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2051, 1, 2);
        let pem = params.self_signed(&key).unwrap().pem();
        assert_eq!(validity(&format!("# head\n{pem}")), Some((1_767_312_000, 2_556_230_400)));
        assert_eq!(validity("nothing"), None);
        assert_eq!(validity(&pem.replace("MII", "MIJ")), None);
    }
}
