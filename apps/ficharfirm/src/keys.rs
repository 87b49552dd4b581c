//! Keys and what they do. One secret from the environment gives, by HKDF, a key for each purpose: wrapping
//! employees' own keys, signing sessions, signing months. An employee's own key exists only wrapped, in that
//! employee's row; whoever deletes the row's key has erased everything it ever sealed.

use std::fmt::Write as _;

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf,
    rand::{SecureRandom, SystemRandom},
    signature::{Ed25519KeyPair, KeyPair as _},
};

use crate::config::Secrets;

pub(crate) const KEY_LEN: usize = 32;

#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("the system gave no random bytes")]
    Random,
    #[error("cannot be opened: another SESSION_KEY sealed it, or it was altered")]
    Sealed,
    #[error("a key could not be derived")]
    Derive,
}

/// The keys of this deployment.
pub(crate) struct Keyring {
    wrap: Vec<LessSafeKey>,
    sessions: Vec<ring::hmac::Key>,
    signer: Ed25519KeyPair,
}

/// A key of one employee, in the clear only while a request needs it.
pub(crate) struct EmployeeKey {
    key: LessSafeKey,
}

/// What a seal produced; the nonce is random and stored beside the ciphertext.
pub(crate) struct Sealed {
    pub(crate) nonce: [u8; NONCE_LEN],
    pub(crate) ciphertext: Vec<u8>,
}

impl Keyring {
    /// Fails only where the cryptography library does.
    pub(crate) fn new(secrets: &Secrets) -> Result<Self, KeyError> {
        let mut wrap = Vec::new();
        let mut sessions = Vec::new();
        for secret in std::iter::once(&secrets.current).chain(&secrets.previous) {
            wrap.push(aes(&derive(secret, "ficharfirm/wrap/1")?)?);
            let key = derive(secret, "ficharfirm/session/1")?;
            sessions.push(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key));
        }
        let seed = derive(&secrets.current, "ficharfirm/month/1")?;
        let signer = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Derive)?;
        Ok(Self { wrap, sessions, signer })
    }

    /// A fresh key for an employee: itself, and how it is stored.
    pub(crate) fn new_employee_key(&self, e: &str) -> Result<(EmployeeKey, Vec<u8>), KeyError> {
        let raw: [u8; KEY_LEN] = random()?;
        Ok((EmployeeKey { key: aes(&raw)? }, self.wrap(e, &raw)?))
    }

    fn wrap(&self, employee: &str, raw: &[u8; KEY_LEN]) -> Result<Vec<u8>, KeyError> {
        let Some(key) = self.wrap.first() else { return Err(KeyError::Derive) };
        let sealed = seal(key, employee.as_bytes(), raw)?;
        Ok([sealed.nonce.as_slice(), &sealed.ciphertext].concat())
    }

    /// Tries the current secret, then the previous one.
    pub(crate) fn unwrap_key(&self, e: &str, wrapped: &[u8]) -> Result<EmployeeKey, KeyError> {
        let (raw, _) = self.unwrap_raw(e, wrapped)?;
        Ok(EmployeeKey { key: aes(&raw)? })
    }

    /// The same key wrapped under the current secret, or nothing where it already is.
    pub(crate) fn rewrap(&self, e: &str, wrapped: &[u8]) -> Result<Option<Vec<u8>>, KeyError> {
        match self.unwrap_raw(e, wrapped)? {
            (_, 0) => Ok(None),
            (raw, _) => self.wrap(e, &raw).map(Some),
        }
    }

    fn unwrap_raw(&self, e: &str, wrapped: &[u8]) -> Result<([u8; KEY_LEN], usize), KeyError> {
        let (nonce, ciphertext) = wrapped.split_at_checked(NONCE_LEN).ok_or(KeyError::Sealed)?;
        for (index, key) in self.wrap.iter().enumerate() {
            if let Ok(raw) = open(key, nonce, e.as_bytes(), ciphertext)
                && let Ok(raw) = raw.try_into()
            {
                return Ok((raw, index));
            }
        }
        Err(KeyError::Sealed)
    }

    /// Signs sessions with the current secret.
    pub(crate) fn session_mac(&self, message: &[u8]) -> Option<ring::hmac::Tag> {
        self.sessions.first().map(|key| ring::hmac::sign(key, message))
    }

    pub(crate) fn session_valid(&self, message: &[u8], mac: &[u8]) -> bool {
        self.sessions.iter().any(|key| ring::hmac::verify(key, message, mac).is_ok())
    }

    pub(crate) fn sign_month(&self, message: &[u8]) -> Vec<u8> {
        self.signer.sign(message).as_ref().to_vec()
    }

    /// Who signs months: stored with each signature, so that it outlives a change of SESSION_KEY.
    pub(crate) fn signer(&self) -> &[u8] {
        self.signer.public_key().as_ref()
    }
}

impl EmployeeKey {
    pub(crate) fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Sealed, KeyError> {
        seal(&self.key, aad, plaintext)
    }

    pub(crate) fn open(&self, nonce: &[u8], aad: &[u8], data: &[u8]) -> Result<Vec<u8>, KeyError> {
        open(&self.key, nonce, aad, data)
    }
}

/// Whether `signature` over `message` was made by `signer`.
pub(crate) fn month_signature_valid(signer: &[u8], message: &[u8], signature: &[u8]) -> bool {
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, signer)
        .verify(message, signature)
        .is_ok()
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(bytes)
}

/// A random name of 128 bits: sessions, request ids, lease holders.
pub(crate) fn random_name() -> Result<String, KeyError> {
    let bytes: [u8; 16] = random()?;
    Ok(bytes.iter().fold(String::new(), |mut text, b| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{b:02x}");
        text
    }))
}

fn derive(secret: &str, purpose: &str) -> Result<[u8; KEY_LEN], KeyError> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"ficharfirm");
    let prk = salt.extract(secret.as_bytes());
    let info = [purpose.as_bytes()];
    let okm = prk.expand(&info, hkdf::HKDF_SHA256).map_err(|_| KeyError::Derive)?;
    let mut key = [0; KEY_LEN];
    okm.fill(&mut key).map_err(|_| KeyError::Derive)?;
    Ok(key)
}

fn aes(raw: &[u8]) -> Result<LessSafeKey, KeyError> {
    UnboundKey::new(&AES_256_GCM, raw).map(LessSafeKey::new).map_err(|_| KeyError::Derive)
}

fn seal(key: &LessSafeKey, aad: &[u8], plaintext: &[u8]) -> Result<Sealed, KeyError> {
    let nonce: [u8; NONCE_LEN] = random()?;
    let mut ciphertext = plaintext.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(aad),
        &mut ciphertext,
    )
    .map_err(|_| KeyError::Sealed)?;
    Ok(Sealed { nonce, ciphertext })
}

fn open(key: &LessSafeKey, nonce: &[u8], aad: &[u8], data: &[u8]) -> Result<Vec<u8>, KeyError> {
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::Sealed)?;
    let mut buffer = data.to_vec();
    let plain =
        key.open_in_place(nonce, Aad::from(aad), &mut buffer).map_err(|_| KeyError::Sealed)?;
    Ok(plain.to_vec())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn ring_of(current: &str, previous: Option<&str>) -> Keyring {
        let secrets = Secrets { current: current.into(), previous: previous.map(Into::into) };
        Keyring::new(&secrets).unwrap()
    }

    #[test]
    fn an_employees_key_opens_only_its_own_seal() {
        let ring = ring_of("first secret of the deployment!!", None);
        let (key, wrapped) = ring.new_employee_key("E1").unwrap();
        let sealed = key.seal(b"aad", b"in").unwrap();
        let again = ring.unwrap_key("E1", &wrapped).unwrap();
        assert_eq!(again.open(&sealed.nonce, b"aad", &sealed.ciphertext).unwrap(), b"in");
        assert!(again.open(&sealed.nonce, b"other", &sealed.ciphertext).is_err());
        assert!(ring.unwrap_key("E2", &wrapped).is_err(), "the row is bound to its employee");
    }

    #[test]
    fn rotation_keeps_old_keys_readable_and_rewraps_them() {
        let old = ring_of("first secret of the deployment!!", None);
        let (_, wrapped) = old.new_employee_key("E1").unwrap();
        let both =
            ring_of("second secret of the deployment!", Some("first secret of the deployment!!"));
        let rewrapped = both.rewrap("E1", &wrapped).unwrap().unwrap();
        assert!(both.rewrap("E1", &rewrapped).unwrap().is_none());
        let new = ring_of("second secret of the deployment!", None);
        assert!(new.unwrap_key("E1", &rewrapped).is_ok());
        assert!(new.unwrap_key("E1", &wrapped).is_err());
    }

    #[test]
    fn a_month_signature_verifies_with_the_stored_signer() {
        let ring = ring_of("first secret of the deployment!!", None);
        let signature = ring.sign_month(b"head");
        assert!(month_signature_valid(ring.signer(), b"head", &signature));
        assert!(!month_signature_valid(ring.signer(), b"tail", &signature));
    }
}
