//! Ranges of IPv4 addresses.

use std::net::Ipv4Addr;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    base: Ipv4Addr,
    prefix: u8,
}

/// At the beginning of a subnet: the network, and its gateway.
const RESERVED_FIRST: u32 = 2;
/// At its end: broadcast.
const RESERVED_LAST: u32 = 1;

impl FromStr for Range {
    type Err = ();

    /// `10.0.0.0/24`: no bit may be set beyond the prefix.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (base, prefix) = text.split_once('/').ok_or(())?;
        let base: Ipv4Addr = base.parse().map_err(|_| ())?;
        let prefix: u8 = prefix.parse().map_err(|_| ())?;
        let range = Self { base, prefix };
        let fits = (1..=32).contains(&prefix) && base.to_bits() & !range.bits() == 0;
        if fits { Ok(range) } else { Err(()) }
    }
}

impl Range {
    const fn new(base: [u8; 4], prefix: u8) -> Self {
        let [a, b, c, d] = base;
        Self { base: Ipv4Addr::new(a, b, c, d), prefix }
    }

    fn bits(self) -> u32 {
        u32::MAX << (32 - u32::from(self.prefix))
    }

    pub(crate) fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.bits())
    }

    pub(crate) fn prefix(self) -> u8 {
        self.prefix
    }

    pub(crate) fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base.to_bits() | 1)
    }

    fn first(self) -> u32 {
        self.base.to_bits()
    }

    fn last(self) -> u32 {
        self.base.to_bits() | !self.bits()
    }

    /// The addresses that machines can have.
    pub(crate) fn usable(self) -> impl Iterator<Item = Ipv4Addr> {
        let (first, last) =
            (self.first().saturating_add(RESERVED_FIRST), self.last() - RESERVED_LAST);
        (first..=last).map(Ipv4Addr::from_bits)
    }

    pub(crate) fn is_usable(self, address: Ipv4Addr) -> bool {
        let bits = address.to_bits();
        bits >= self.first() + RESERVED_FIRST && bits <= self.last() - RESERVED_LAST
    }

    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.first() <= other.last() && other.first() <= self.last()
    }

    fn contains(self, other: Self) -> bool {
        self.first() <= other.first() && other.last() <= self.last()
    }

    /// Private networks, less the half of 192.168.0.0/16 that Linode's own private network has.
    pub(crate) fn may_be_subnet(self) -> bool {
        const PRIVATE: [Range; 3] = [
            Range::new([10, 0, 0, 0], 8),
            Range::new([172, 16, 0, 0], 12),
            Range::new([192, 168, 0, 0], 17),
        ];
        self.prefix <= 29 && PRIVATE.iter().any(|range| range.contains(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_range_and_may_be_a_subnet() {
        for (text, parses, subnet) in [
            ("10.0.0.0/24", true, true),
            ("10.0.0.1/24", false, false),
            ("172.31.255.0/24", true, true),
            ("172.32.0.0/24", true, false),
            ("192.168.0.0/17", true, true),
            ("192.168.128.0/24", true, false),
            ("10.0.0.0/30", true, false),
            ("8.8.8.0/24", true, false),
            ("10.0.0.0", false, false),
            ("10.0.0.0/0", false, false),
            ("10.0.0.0/33", false, false),
        ] {
            let range = text.parse::<Range>();
            assert_eq!(range.is_ok(), parses, "{text}");
            assert_eq!(range.is_ok_and(Range::may_be_subnet), subnet, "{text}");
        }
    }

    #[test]
    fn addresses_of_machines_begin_behind_the_gateway() {
        let range: Range = "10.0.0.0/29".parse().unwrap();
        let usable: Vec<String> = range.usable().map(|a| a.to_string()).collect();
        assert_eq!(usable, ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
        assert!(range.usable().all(|a| range.is_usable(a)));
        assert!(!range.is_usable(range.gateway()));
        assert!(range.overlaps("10.0.0.0/24".parse().unwrap()));
        assert!(!range.overlaps("10.0.0.8/29".parse().unwrap()));
    }
}
