//! A server's own key, before anyone vouches for it.

use crate::RemoteError;
use ring::hmac;
use russh::client;
use russh::keys::ssh_encoding::base64::{Base64, Encoding};
use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// What a server showed, for a person to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// `ssh-ed25519 AAAA…`.
    pub public: String,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
}

#[derive(Clone, Default)]
struct Look(Arc<Mutex<Option<PublicKey>>>);

impl client::Handler for Look {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = shown {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
        }
        // Nothing is said to a server that nobody knows.
        Ok(false)
    }
}

/// The key that a server shows now. It proves nothing by itself.
///
/// # Errors
/// When no SSH server answers there within `patience`.
pub async fn shown(
    machine: &str,
    address: SocketAddr,
    patience: Duration,
) -> Result<HostKey, RemoteError> {
    let look = Look::default();
    let attempt = client::connect(Arc::default(), address, look.clone());
    let source = match timeout(patience, attempt).await {
        Ok(Err(source)) => Some(source),
        Ok(Ok(_)) | Err(_) => None,
    };
    let key = look.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(key) = key else {
        return Err(RemoteError::Unreachable {
            machine: machine.to_owned(),
            address: address.to_string(),
            waited: patience,
            source,
        });
    };
    Ok(HostKey {
        public: key.to_openssh().map_err(RemoteError::Key)?,
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
    })
}

/// The key that known_hosts files have for a server under any of these names, ed25519 before others. A
/// revoked one is none.
#[must_use]
pub fn known(files: &[PathBuf], names: &[String], port: u16) -> Option<String> {
    let names: Vec<String> = names
        .iter()
        .map(|name| if port == 22 { name.clone() } else { format!("[{name}]:{port}") })
        .collect();
    let mut keys: Vec<PublicKey> = Vec::new();
    let mut revoked: Vec<PublicKey> = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read(file) else { continue };
        let text = String::from_utf8_lossy(&text);
        for line in text.lines() {
            // One line that nobody can read says nothing about the others.
            let Some((marker, patterns, key)) = entry(line) else { continue };
            if !names.iter().any(|name| matches(patterns, name)) {
                continue;
            }
            match marker {
                None => keys.push(key),
                Some("@revoked") => revoked.push(key),
                // Servers with certificates are not known by them here.
                Some(_) => {}
            }
        }
    }
    keys.retain(|key| revoked.iter().all(|it| it.key_data() != key.key_data()));
    keys.sort_by_key(|key| !key.algorithm().is_ed25519());
    keys.first()?.to_openssh().ok()
}

/// Marker, names and key of a line of known_hosts.
fn entry(line: &str) -> Option<(Option<&str>, &str, PublicKey)> {
    let mut words = line.split_whitespace();
    let mut first = words.next().filter(|word| !word.starts_with('#'))?;
    let marker = first.starts_with('@').then_some(first);
    if marker.is_some() {
        first = words.next()?;
    }
    let key = format!("{} {}", words.next()?, words.next()?);
    Some((marker, first, PublicKey::from_openssh(&key).ok()?))
}

/// Does a line's list of names have this one? `*` and `?` are wildcards, `!` excludes, `|1|` is hashed.
fn matches(patterns: &str, name: &str) -> bool {
    if let Some((salt, hash)) = patterns.strip_prefix("|1|").and_then(|rest| rest.split_once('|')) {
        let (Ok(salt), Ok(hash)) = (Base64::decode_vec(salt), Base64::decode_vec(hash)) else {
            return false;
        };
        // What the file's format uses; it hides names, and proves nothing.
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
        return hmac::verify(&key, name.as_bytes(), &hash).is_ok();
    }
    let name = name.to_ascii_lowercase();
    let mut found = false;
    for pattern in patterns.split(',') {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_prefix('!') {
            Some(not) if wildcard(not.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found = found || wildcard(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|from| wildcard(rest, &name[from..])),
        (Some((b'?', rest)), Some((_, left))) => wildcard(rest, left),
        (Some((a, rest)), Some((b, left))) => a == b && wildcard(rest, left),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyPair;
    use std::path::Path;

    fn ask(file: &Path, name: &str, port: u16) -> Option<String> {
        known(&[file.to_owned()], &[name.to_owned()], port)
    }

    #[test]
    fn a_known_hosts_file_vouches_for_names_and_port() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        let key = || KeyPair::generate().unwrap().public;
        let (a, b, c, d) = (key(), key(), key(), key());
        // `db1` with the salt 1..20, as ssh-keygen -H writes it.
        let salt: Vec<u8> = (1..=20).collect();
        let hash = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt), b"db1");
        let hashed =
            format!("|1|{}|{}", Base64::encode_string(&salt), Base64::encode_string(hash.as_ref()));
        let text = format!(
            "# mine\n\nnonsense\n10.0.0.11 ssh-dss nonsense\n10.0.0.11 {a} root@x\n[10.0.0.12]:2222\t{b}\n\
             {hashed} {c}\n@revoked * {d}\n10.0.0.13 {d}\n*.example.org,!x.example.org {a}\n\
             @cert-authority *.example.net {b}\n"
        );
        std::fs::write(&file, text).unwrap();
        assert_eq!(ask(&file, "10.0.0.11", 22), Some(a.clone()));
        assert_eq!(ask(&file, "10.0.0.12", 2222), Some(b));
        assert_eq!(ask(&file, "10.0.0.12", 22), None);
        assert_eq!(ask(&file, "db1", 22), Some(c));
        assert_eq!(ask(&file, "db2", 22), None);
        assert_eq!(ask(&file, "10.0.0.13", 22), None, "it is revoked");
        assert_eq!(ask(&file, "DB.example.org", 22), Some(a.clone()));
        assert_eq!(ask(&file, "x.example.org", 22), None);
        assert_eq!(ask(&file, "db.example.net", 22), None);
        let (none, files) = (folder.path().join("none"), [folder.path().join("none"), file]);
        assert_eq!(ask(&none, "10.0.0.11", 22), None);
        assert_eq!(known(&files, &["y".to_owned(), "10.0.0.11".to_owned()], 22), Some(a));
    }
}
