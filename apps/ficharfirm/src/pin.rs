//! PINs: argon2id verifiers, and fresh PINs for new employees.

use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::keys::{KeyError, random};

/// The first recommendation of OWASP's list: 19 MiB, two passes, one lane; about 20 ms.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const SALT: usize = 16;
const OUT: usize = 32;
const LEN: usize = 1 + 4 + 4 + SALT + OUT;
const FORMAT: u8 = 1;

#[derive(Debug, thiserror::Error)]
pub(crate) enum PinError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("argon2 refused its parameters: {0}")]
    Argon(argon2::Error),
}

/// Format, memory, passes, salt, hash: what a later change of cost needs to read an older verifier.
pub(crate) struct Verifier(Vec<u8>);

impl Verifier {
    pub(crate) fn new(pin: &str) -> Result<Self, PinError> {
        Self::with_cost(pin, MEMORY_KIB, PASSES)
    }

    fn with_cost(pin: &str, memory: u32, passes: u32) -> Result<Self, PinError> {
        let salt: [u8; SALT] = random()?;
        let hash = argon(pin, &salt, memory, passes)?;
        let mut bytes = vec![FORMAT];
        bytes.extend(memory.to_be_bytes());
        bytes.extend(passes.to_be_bytes());
        bytes.extend(salt);
        bytes.extend(hash);
        Ok(Self(bytes))
    }

    /// What unknown employees are checked against, so that they take as long to refuse as known ones.
    pub(crate) fn nobody() -> Self {
        let mut bytes = vec![FORMAT];
        bytes.extend(MEMORY_KIB.to_be_bytes());
        bytes.extend(PASSES.to_be_bytes());
        bytes.resize(LEN, 0);
        Self(bytes)
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == LEN && bytes.first() == Some(&FORMAT)).then_some(Self(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes as long as the verifier's cost says: for threads that may block.
    pub(crate) fn matches(&self, pin: &str) -> bool {
        let number = |at: usize| {
            let bytes = self.0.get(at..at + 4).and_then(|b| b.try_into().ok()).unwrap_or_default();
            u32::from_be_bytes(bytes)
        };
        let (Some(salt), Some(stored)) = (self.0.get(9..9 + SALT), self.0.get(9 + SALT..)) else {
            return false;
        };
        match argon(pin, salt, number(1), number(5)) {
            // Compared without leaving early.
            Ok(hash) => hash.iter().zip(stored).fold(0, |all, (a, b)| all | (a ^ b)) == 0,
            Err(_) => false,
        }
    }
}

fn argon(pin: &str, salt: &[u8], memory: u32, passes: u32) -> Result<[u8; OUT], PinError> {
    let params = Params::new(memory, passes, 1, Some(OUT)).map_err(PinError::Argon)?;
    let mut out = [0; OUT];
    let mut memory =
        MEMORY.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
    memory.resize(params.block_count(), Block::default());
    let done = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(pin.as_bytes(), salt, &mut out, &mut memory);
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    done.map_err(PinError::Argon)?;
    Ok(out)
}

/// Kept for the next PIN: given back each time, 19 MiB would stay with the allocator once for every thread
/// that ever held them. There are as many as PINs were checked at once.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// Six digits, not those that everybody tries first.
pub(crate) fn fresh() -> Result<String, KeyError> {
    loop {
        let number = u32::from_be_bytes(random()?);
        // Above the largest multiple of a million, small numbers would come more often.
        if number >= u32::MAX - u32::MAX % 1_000_000 {
            continue;
        }
        let pin = format!("{:06}", number % 1_000_000);
        let steps: Vec<i16> =
            pin.as_bytes().windows(2).map(|w| i16::from(w[1]) - i16::from(w[0])).collect();
        let weak = [-1, 0, 1].iter().any(|step| steps.iter().all(|s| s == step));
        if !weak {
            return Ok(pin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_pin_matches() {
        let verifier = Verifier::with_cost("493021", 64, 1).unwrap();
        let stored = Verifier::from_bytes(verifier.as_bytes().to_vec()).unwrap();
        assert!(stored.matches("493021"));
        assert!(!stored.matches("493022"));
        assert!(!stored.matches(""));
    }

    #[test]
    fn nobody_matches_nothing() {
        assert!(!Verifier::nobody().matches("000000"));
        assert!(Verifier::from_bytes(vec![1; 8]).is_none());
    }

    #[test]
    fn fresh_pins_have_six_digits_and_differ() {
        let pins: std::collections::HashSet<String> = (0..200).map(|_| fresh().unwrap()).collect();
        assert!(pins.len() > 190);
        assert!(pins.iter().all(|p| p.len() == 6 && p.bytes().all(|b| b.is_ascii_digit())));
    }
}
