//! Reading a pinned network.

use super::Network;
use std::net::Ipv4Addr;
use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error("`{0}` is not a network")]
    Form(String),
    #[error("`{0}` is not a /24")]
    Length(String),
    #[error("`{0}` is the address of a machine, not of a /24")]
    Host(String),
    #[error("`{0}` lies outside of 198.18.0.0/15")]
    Range(String),
}

impl FromStr for Network {
    type Err = NetworkError;

    /// A /24 of 198.18.0.0/15, the range reserved for benchmarks (RFC 2544): never a real network.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let parsed = text.split_once('/').and_then(|(base, length)| {
            Some((base.parse::<Ipv4Addr>().ok()?, crate::units::digits(length)?))
        });
        let Some((base, length)) = parsed else { return Err(NetworkError::Form(text.to_owned())) };
        let [a, b, _, host] = base.octets();
        match (a, b, host, length) {
            (_, _, _, length) if length != 24 => Err(NetworkError::Length(text.to_owned())),
            (198, 18 | 19, 0, _) => Ok(Self { base }),
            (198, 18 | 19, ..) => Err(NetworkError::Host(text.to_owned())),
            _ => Err(NetworkError::Range(text.to_owned())),
        }
    }
}
