//! SSH keys as text: made here, kept by the state.

use crate::RemoteError;
use russh::keys::ssh_key::{LineEnding, SshSig, private::Ed25519Keypair};
use russh::keys::{HashAlg, PrivateKey, PublicKey};

/// An ed25519 key in OpenSSH's formats.
#[derive(Clone)]
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
        Self::from_seed(&seed)
    }

    /// The key that these bytes are.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, RemoteError> {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(seed));
        let private = key.to_openssh(LineEnding::LF).map_err(RemoteError::Key)?.to_string();
        Ok(Self { private, public: key.public_key().to_openssh().map_err(RemoteError::Key)? })
    }

    /// An ed25519 key without a passphrase.
    ///
    /// # Errors
    /// When the text is something else.
    pub fn parse(private: &str) -> Result<Self, RemoteError> {
        let key = PrivateKey::from_openssh(private).map_err(RemoteError::Key)?;
        if key.key_data().ed25519().is_none() {
            return Err(RemoteError::Key(russh::keys::ssh_key::Error::AlgorithmUnknown));
        }
        let bare = PublicKey::from(key.public_key().key_data().clone());
        let public = bare.to_openssh().map_err(RemoteError::Key)?;
        Ok(Self { private: private.to_owned(), public })
    }

    /// What `ssh-keygen -Y sign -n NAMESPACE` makes of a text.
    ///
    /// # Errors
    /// When the private half is damaged.
    pub fn sign(&self, namespace: &str, text: &[u8]) -> Result<String, RemoteError> {
        let key = PrivateKey::from_openssh(&self.private).map_err(RemoteError::Key)?;
        let signed = key.sign(namespace, HashAlg::Sha512, text).map_err(RemoteError::Key)?;
        signed.to_pem(LineEnding::LF).map_err(RemoteError::Key)
    }
}

/// Is it that key's signature of that text, made for that purpose?
#[must_use]
pub fn is_signed(openssh: &str, namespace: &str, text: &[u8], signature: &str) -> bool {
    let (Ok(key), Ok(signature)) = (public(openssh), SshSig::from_pem(signature)) else {
        return false;
    };
    key.verify(namespace, text, &signature).is_ok()
}

/// `ssh-ed25519 AAAA… comment` as a comparable key.
pub(crate) fn public(openssh: &str) -> Result<PublicKey, RemoteError> {
    PublicKey::from_openssh(openssh.trim()).map_err(RemoteError::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_one_key_one_text_and_one_purpose() {
        let pair = KeyPair::generate().unwrap();
        let again = KeyPair::parse(&pair.private).unwrap();
        assert_eq!(again.public, pair.public);
        let signature = again.sign("ledger", b"text").unwrap();
        assert!(is_signed(&pair.public, "ledger", b"text", &signature));
        assert!(!is_signed(&pair.public, "other", b"text", &signature));
        assert!(!is_signed(&pair.public, "ledger", b"texts", &signature));
        assert!(!is_signed(&KeyPair::generate().unwrap().public, "ledger", b"text", &signature));
        assert!(!is_signed(&pair.public, "ledger", b"text", ""));
        assert!(KeyPair::parse(&pair.public).is_err());
    }

    #[test]
    fn the_same_bytes_are_the_same_key() {
        let one = KeyPair::from_seed(&[7; 32]).unwrap();
        assert_eq!(one.public, KeyPair::from_seed(&[7; 32]).unwrap().public);
        assert_ne!(one.public, KeyPair::from_seed(&[8; 32]).unwrap().public);
    }
}
