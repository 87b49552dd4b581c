//! Session tokens that need no store to be believed: `ff1.PAYLOAD.MAC`. A lost Redis therefore signs nobody
//! out; Redis only knows which sessions were ended early.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::keys::{KeyError, Keyring, random_name};

/// One working day with overtime; then the PIN is asked again.
pub(crate) const LIFETIME_S: i64 = 12 * 3600;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    #[serde(rename = "e")]
    pub(crate) employee: String,
    #[serde(rename = "s")]
    pub(crate) id: String,
    /// Unix seconds.
    #[serde(rename = "x")]
    pub(crate) expires: i64,
}

impl Session {
    pub(crate) fn start(employee: &str, now_s: i64) -> Result<Self, KeyError> {
        Ok(Self {
            employee: employee.into(),
            id: random_name()?,
            expires: now_s.saturating_add(LIFETIME_S),
        })
    }

    pub(crate) fn token(&self, keys: &Keyring) -> Option<String> {
        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).ok()?);
        let signed = format!("ff1.{payload}");
        let mac = keys.session_mac(signed.as_bytes())?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac)))
    }

    /// `None` for anything that is not a token of ours, or is past its time.
    pub(crate) fn from_token(token: &str, keys: &Keyring, now_s: i64) -> Option<Self> {
        let (signed, mac) = token.rsplit_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        if !keys.session_valid(signed.as_bytes(), &mac) {
            return None;
        }
        let payload = URL_SAFE_NO_PAD.decode(signed.strip_prefix("ff1.")?).ok()?;
        let session: Self = serde_json::from_slice(&payload).ok()?;
        (session.expires > now_s).then_some(session)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::tests::ring_of;

    const OLD: &str = "first secret of the deployment!!";
    const NEW: &str = "second secret of the deployment!";

    #[test]
    fn a_token_lives_its_time_and_no_longer() {
        let keys = ring_of(OLD, None);
        let token = Session::start("E00001", 1000).unwrap().token(&keys).unwrap();
        assert_eq!(Session::from_token(&token, &keys, 1001).unwrap().employee, "E00001");
        assert!(Session::from_token(&token, &keys, 1000 + LIFETIME_S).is_none());
    }

    #[test]
    fn a_rotated_key_keeps_sessions_until_the_previous_one_goes() {
        let token = Session::start("E00001", 1000).unwrap().token(&ring_of(OLD, None)).unwrap();
        assert!(Session::from_token(&token, &ring_of(NEW, Some(OLD)), 1001).is_some());
        assert!(Session::from_token(&token, &ring_of(NEW, None), 1001).is_none());
    }

    proptest! {
        #[test]
        fn no_changed_byte_is_believed(index in 0usize..150, byte in 33u8..126) {
            let keys = ring_of(OLD, None);
            let token = Session::start("E00001", 1000).unwrap().token(&keys).unwrap();
            let mut bytes = token.clone().into_bytes();
            let index = index % bytes.len();
            prop_assume!(bytes[index] != byte);
            bytes[index] = byte;
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert!(Session::from_token(&changed, &keys, 1001).is_none());
        }

        #[test]
        fn noise_is_no_token(noise in ".{0,200}") {
            prop_assert!(Session::from_token(&noise, &ring_of(OLD, None), 0).is_none());
        }
    }
}
