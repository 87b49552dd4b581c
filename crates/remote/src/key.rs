//! SSH keys as text: made here, kept by the state.

use crate::RemoteError;
use russh::keys::ssh_key::{LineEnding, private::Ed25519Keypair};
use russh::keys::{PrivateKey, PublicKey};

/// A new ed25519 key in OpenSSH's formats.
pub struct KeyPair {
    /// Secret: `-----BEGIN OPENSSH PRIVATE KEY-----…`.
    pub private: String,
    /// `ssh-ed25519 AAAA…`.
    pub public: String,
}

impl KeyPair {
    /// Makes a key from the system's randomness.
    ///
    /// # Errors
    /// When the system has no randomness to give or the key cannot be encoded.
    pub fn generate() -> Result<Self, RemoteError> {
        let mut seed = [0_u8; 32];
        getrandom::fill(&mut seed)
            .map_err(|_| RemoteError::Key(russh::keys::ssh_key::Error::Crypto))?;
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        Ok(Self {
            private: key.to_openssh(LineEnding::LF).map_err(RemoteError::Key)?.to_string(),
            public: key.public_key().to_openssh().map_err(RemoteError::Key)?,
        })
    }
}

/// `ssh-ed25519 AAAA… comment` as a comparable key.
pub(crate) fn public(openssh: &str) -> Result<PublicKey, RemoteError> {
    PublicKey::from_openssh(openssh.trim()).map_err(RemoteError::Key)
}
