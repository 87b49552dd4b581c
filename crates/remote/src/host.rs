//! A server's own key, before anyone vouches for it.

use crate::RemoteError;
use russh::client;
use russh::keys::{HashAlg, PublicKey, PublicKeyOrCertificate, known_hosts};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
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

/// The key that a known_hosts file has for a server, ed25519 before others.
#[must_use]
pub fn known(file: &Path, address: Ipv4Addr, port: u16) -> Option<String> {
    let keys = known_hosts::known_host_keys_path(&address.to_string(), port, file).ok()?;
    let mut keys: Vec<PublicKey> = keys.into_iter().map(|(_, key)| key).collect();
    keys.sort_by_key(|key| !key.algorithm().is_ed25519());
    keys.first()?.to_openssh().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyPair;

    #[test]
    fn a_known_hosts_file_vouches_for_address_and_port() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        let (a, b) = (KeyPair::generate().unwrap().public, KeyPair::generate().unwrap().public);
        std::fs::write(&file, format!("10.0.0.11 {a}\n[10.0.0.12]:2222 {b}\n")).unwrap();
        let ask = |last, port| known(&file, Ipv4Addr::new(10, 0, 0, last), port);
        assert_eq!(ask(11, 22), Some(a));
        assert_eq!(ask(12, 2222), Some(b));
        assert_eq!(ask(12, 22), None);
        assert_eq!(ask(13, 22), None);
        assert_eq!(known(&folder.path().join("none"), Ipv4Addr::LOCALHOST, 22), None);
    }
}
