//! What the machine's services show to other machines, signed on the machine itself.
//!
//! The instance's authority gave the machine an authority of its own, which can sign for this machine's names and
//! addresses only. Its key is root's, and stays here; what a service's account can read is good for a week and
//! is made anew by a timer, so that an environment which nobody touches lives on.

use super::validity::{days, now, validity};
use crate::disk;
use crate::failure::{Context, Failure, Result};
use crate::machine::accounts::Accounts;
use crate::machine::stamp::Stamp;
use crate::machine::systemd::Systemd;
use andamio_manifest::{
    IDENTITIES, LATE_DAYS, PRIVATE_KEY, ReloadMethod, SIGNER, ServiceCertificate, signer_subject,
};
use nix::fcntl::{Flock, FlockArg};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const DAY: u64 = 86_400;
const LIFE: u64 = 7 * DAY;
/// The timer makes a new one when less than this is left: every other day.
const EARLY: u64 = 5 * DAY;
/// With less than this an `up` does it.
pub(crate) const LATE: u64 = LATE_DAYS * DAY;
/// A clock that is ahead by less than this signs what others believe.
const BEFORE: u64 = DAY;
pub(crate) const MODE: u32 = 0o640;
const ANSWER: Duration = Duration::from_secs(5);

/// Makes what the machine signs for itself anew where it is time; a line for each that was.
///
/// # Errors
/// When one could not be made or taken up, after the others.
pub async fn identities() -> Result<Vec<String>> {
    let list = disk::read(Path::new(IDENTITIES))?.unwrap_or_default();
    let list: Vec<ServiceCertificate> = serde_json::from_slice(&list).during(IDENTITIES)?;
    let (mut made, mut failures) = (Vec::new(), Vec::new());
    for identity in &list {
        match renew(identity).await {
            Ok(Some(why)) => made.push(format!("{}: made anew, because {why}", identity.path)),
            Ok(None) => {}
            Err(failure) => failures.push(format!("{}: {failure}", identity.path)),
        }
    }
    if failures.is_empty() { Ok(made) } else { Err(Failure::new(failures.join("\n"))) }
}

async fn renew(identity: &ServiceCertificate) -> Result<Option<String>> {
    let why = due(identity, EARLY)?;
    if why.is_some() {
        put(identity, Accounts::read()?.ids("root", &identity.group)?)?;
    }
    if is_untold(identity) {
        tell(identity).await?;
    }
    Ok(why)
}

/// Why it has to be made anew: it is missing, for others, by another authority, or good for no more than these
/// seconds.
pub(crate) fn due(identity: &ServiceCertificate, left: u64) -> Result<Option<String>> {
    let head = head(identity, &signer()?);
    let Some(text) = disk::read(Path::new(&identity.path))? else {
        return Ok(Some("there is none".to_owned()));
    };
    Ok(fault(&String::from_utf8_lossy(&text), &head, left))
}

/// What is wrong with a file that should begin like this.
fn fault(text: &str, head: &str, left: u64) -> Option<String> {
    if !text.starts_with(head) {
        return Some("it is for others, or by another authority".to_owned());
    }
    match validity(text) {
        None => Some("it is damaged".to_owned()),
        Some((from, _)) if from > now() => {
            Some("it is not good yet: this machine's clock was ahead when it was made".to_owned())
        }
        Some((_, until)) if until.saturating_sub(now()) <= left => {
            Some(format!("it is good for {}", days(until)))
        }
        Some(_) => None,
    }
}

/// Signs a new one and puts it in its place. That the service has to be told is remembered before, until the
/// next boot, after which it has read the new one anyway.
pub(crate) fn put(identity: &ServiceCertificate, owner: (u32, u32)) -> Result<()> {
    let _turn = turn()?;
    let text = sign(identity, &signer()?)?;
    let path = Path::new(&identity.path);
    let candidate = disk::stage(path, text.as_bytes(), MODE, Some(owner))?;
    disk::write(&untold(identity), b"", 0o600)?;
    disk::commit(&candidate, path)
}

/// Until it is dropped, nobody else puts one in its place: the timer may come in the middle of a run.
fn turn() -> Result<Flock<File>> {
    let path = Path::new(crate::RUNTIME).join("identities.lock");
    disk::create_parents(&path)?;
    let file = File::create(&path).during(path.display())?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, e)| e).during(path.display())
}

/// Has the service not been told yet of what is there?
pub(crate) fn is_untold(identity: &ServiceCertificate) -> bool {
    untold(identity).exists()
}

/// Has the running service take it up; one that does not run reads it when it starts.
pub(crate) async fn tell(identity: &ServiceCertificate) -> Result<()> {
    match &identity.taken_up {
        ReloadMethod::Alone => {}
        ReloadMethod::Reload(units) => {
            let systemd = Systemd::connect().await?;
            for unit in units {
                // One that this node never started has none of its configuration yet, and is restarted with it.
                let known = Stamp::read(unit)?.is_some();
                if known && systemd.unit(unit).await?.active == "active" {
                    systemd.job("ReloadUnit", unit).await?;
                }
            }
        }
        ReloadMethod::Haproxy(socket) => {
            let told = tokio::time::timeout(ANSWER, haproxy(socket, &identity.path)).await;
            told.during("telling HAProxy")??;
        }
    }
    disk::remove(&untold(identity))
}

fn untold(identity: &ServiceCertificate) -> PathBuf {
    Path::new(crate::RUNTIME).join(format!("untold{}", identity.path.replace('/', "-")))
}

fn signer() -> Result<String> {
    let text = disk::read(Path::new(SIGNER))?;
    let text = text.ok_or_else(|| Failure::new(format!("{SIGNER} is missing")))?;
    String::from_utf8(text).during(SIGNER)
}

/// The first line of the file: for whom, and by whom.
fn head(identity: &ServiceCertificate, signer: &str) -> String {
    let by = hex::encode(Sha256::digest(signer).get(..8).unwrap_or_default());
    format!("# {} by {by}\n", identity.hosts.join(" "))
}

/// The certificate, the authority's that signed it, and the key; PEM.
fn sign(identity: &ServiceCertificate, signer: &str) -> Result<String> {
    let at =
        signer.find(PRIVATE_KEY).ok_or_else(|| Failure::new(format!("{SIGNER} has no key")))?;
    let (chain, key) = signer.split_at(at);
    let machine = identity.hosts.first().map_or("", String::as_str);
    let mut by = CertificateParams::default();
    by.distinguished_name = name(&signer_subject(machine));
    let issuer = Issuer::new(by, KeyPair::from_pem(key).during(SIGNER)?);
    let mut params = CertificateParams::new(identity.hosts.clone()).during(&identity.path)?;
    params.distinguished_name = name(machine);
    params.not_before = moment(now().saturating_sub(BEFORE));
    params.not_after = moment(now().saturating_add(LIFE));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Members of a cluster are each other's clients.
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let own = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).during("a new key")?;
    let certificate = params.signed_by(&own, &issuer).during(&identity.path)?;
    // The authority's comment is not this file's.
    let chain = chain.find("-----BEGIN").and_then(|at| chain.get(at..)).unwrap_or_default();
    Ok(format!("{}{}{chain}{}", head(identity, signer), certificate.pem(), own.serialize_pem()))
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

fn moment(seconds: u64) -> OffsetDateTime {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Replaces the certificate in the running process, in its two steps.
async fn haproxy(socket: &str, path: &str) -> Result<()> {
    let text = disk::read(Path::new(path))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let payload = text.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    // An empty line ends it.
    let set = format!("set ssl cert {path} <<\n{payload}\n\n");
    for (command, word) in [(set, "ransaction"), (format!("commit ssl cert {path}\n"), "Success")] {
        let mut stream = match UnixStream::connect(socket).await {
            Err(e) if [ErrorKind::NotFound, ErrorKind::ConnectionRefused].contains(&e.kind()) => {
                return Ok(());
            }
            stream => stream.during(socket)?,
        };
        stream.write_all(command.as_bytes()).await.during(socket)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.during(socket)?;
        if !answer.contains(word) {
            return Err(Failure::new(format!("HAProxy does not take it: {}", answer.trim())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, IsCa};

    #[test]
    fn what_is_signed_says_for_whom_and_by_whom() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = name(&signer_subject("db-1"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let pem = params.self_signed(&key).unwrap().pem();
        let signer = format!("# db-1 until then\n{pem}{}", key.serialize_pem());
        let identity = ServiceCertificate {
            path: "/etc/x.pem".to_owned(),
            group: "x".to_owned(),
            hosts: ["db-1", "198.18.1.40"].map(str::to_owned).to_vec(),
            taken_up: ReloadMethod::Alone,
        };
        let text = sign(&identity, &signer).unwrap();
        assert!(text.starts_with("# db-1 198.18.1.40 by "), "{text}");
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2);
        assert_eq!(text.matches(PRIVATE_KEY).count(), 1);
        assert!(!text.contains(key.serialize_pem().trim()), "the authority's key stays with root");
        let (from, until) = validity(&text).unwrap();
        assert!(from <= now() - BEFORE && until > now() + LIFE - 60 && until <= now() + LIFE);
        assert!(sign(&identity, &pem).is_err());
        let other = ServiceCertificate { hosts: vec!["db-2".to_owned()], ..identity.clone() };
        let own = head(&identity, &signer);
        assert_eq!(fault(&text, &own, EARLY), None);
        assert!(fault(&text, &own, LIFE).unwrap().starts_with("it is good for "));
        assert_eq!(fault(&own, &own, LATE).unwrap(), "it is damaged");
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
        params.not_after = rcgen::date_time_ymd(2091, 1, 1);
        let ahead = format!("{own}{}", params.self_signed(&key).unwrap().pem());
        assert!(fault(&ahead, &own, LATE).unwrap().starts_with("it is not good yet"));
        for (text, head) in
            [(text.as_str(), head(&other, &signer)), (&text, head(&identity, "another")), ("", own)]
        {
            assert!(fault(text, &head, LATE).unwrap().contains("for others"), "{head}");
        }
    }
}
