//! Who is asking. The header that names a client is believed only from proxies that were named as trusted,
//! because anybody can write it.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The peer's address, put into each request by the server.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The nearest address that is not a trusted proxy's, read from the right: what stands further left may be
/// made up.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted =
        |address: IpAddr| trusted.iter().any(|net| net.contains(&address.to_canonical()));
    let mut nearest = peer.to_canonical();
    if !is_trusted(nearest) {
        return nearest;
    }
    let values: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .collect();
    for text in values.iter().rev() {
        let Ok(address) = text.trim().parse::<IpAddr>() else { break };
        nearest = address.to_canonical();
        if !is_trusted(nearest) {
            break;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|t| t.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn strangers_cannot_name_themselves() {
        assert_eq!(client("203.0.113.9", &["192.0.2.1"], &[]), "203.0.113.9");
        assert_eq!(client("203.0.113.9", &["192.0.2.1"], &["10.0.0.0/8"]), "203.0.113.9");
    }

    #[test]
    fn the_nearest_untrusted_address_counts() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(client("10.0.0.2", &["1.1.1.1, 192.0.2.1"], &trusted), "192.0.2.1");
        assert_eq!(client("10.0.0.2", &["192.0.2.1, 10.0.0.1"], &trusted), "192.0.2.1");
        assert_eq!(client("10.0.0.2", &["1.1.1.1", "192.0.2.1"], &trusted), "192.0.2.1");
        assert_eq!(client("::ffff:10.0.0.2", &["192.0.2.1"], &trusted), "192.0.2.1");
    }

    #[test]
    fn nonsense_ends_the_search() {
        assert_eq!(client("10.0.0.2", &["1.1.1.1, unknown"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(client("10.0.0.2", &[], &["10.0.0.0/8"]), "10.0.0.2");
    }
}
