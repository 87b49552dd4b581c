//! Which /24 of 198.18.0.0/15 somebody on this host has already. Pure, but for reading the kernel's lists.
//!
//! The longest prefix wins: a route that is shorter than the range itself, as a VPN's `128.0.0.0/1`, takes
//! nothing from a bridge with an address of its own.

use andamio_spec::topology::Network;
use nix::ifaddrs::getifaddrs;
use std::net::Ipv4Addr;

/// Of 198.18.0.0/15.
const RANGE_LENGTH: u32 = 15;
/// Flags of a route in `/proc/net/route`: it leads nowhere.
const REJECT: u32 = 0x200;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    interface: String,
    destination: u32,
    /// Bits.
    length: u32,
    rejects: bool,
}

/// What this host's interfaces have and where its main table leads.
pub(super) struct Taken {
    routes: Vec<Route>,
    addresses: Vec<(String, Ipv4Addr)>,
}

impl Taken {
    pub(super) fn read() -> Self {
        let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
        Self { routes: parse(&routes), addresses: addresses() }
    }

    /// The interface that has the network or a part of it, but for `own`.
    pub(super) fn by(&self, network: Network, own: &str) -> Option<&str> {
        let addresses =
            self.addresses.iter().filter(|(_, address)| same(u32::from(*address), network, 24));
        let addresses = addresses.map(|(interface, _)| interface.as_str());
        let routes = self.routes.iter().filter(|route| route.claims(network));
        let routes = routes.map(|route| route.interface.as_str());
        addresses.chain(routes).find(|interface| *interface != own)
    }
}

impl Route {
    /// Somebody who blocks the whole range, which no real network has, uses none of it.
    fn claims(&self, network: Network) -> bool {
        let shortest = if self.rejects { 24 } else { RANGE_LENGTH };
        self.length >= shortest && same(self.destination, network, self.length.min(24))
    }
}

fn same(address: u32, network: Network, bits: u32) -> bool {
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    address & mask == u32::from(network.base) & mask
}

/// Of `/proc/net/route`, whose numbers are in the machine's own order of bytes.
fn parse(table: &str) -> Vec<Route> {
    let number = |text: &str| u32::from_str_radix(text, 16).ok();
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        let interface = fields.next()?.to_owned();
        let destination = number(fields.next()?)?.swap_bytes();
        let flags = number(fields.nth(1)?)?;
        let length = number(fields.nth(3)?)?.count_ones();
        Some(Route { interface, destination, length, rejects: flags & REJECT != 0 })
    };
    table.lines().skip(1).filter_map(line).collect()
}

/// Where packets to the rest of the world go first; `None` where there is no such way.
pub(in crate::local) fn default_gateway() -> Option<Ipv4Addr> {
    let table = std::fs::read_to_string("/proc/net/route").ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let whole = fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000");
        let gateway = u32::from_str_radix(fields.get(2)?, 16).ok()?.swap_bytes();
        (whole && gateway != 0).then(|| Ipv4Addr::from(gateway))
    })
}

/// Of all interfaces, with the interface's name.
pub(in crate::local) fn addresses() -> Vec<(String, Ipv4Addr)> {
    let all = getifaddrs().into_iter().flatten();
    let of = |entry: nix::ifaddrs::InterfaceAddress| {
        let address = entry.address?.as_sockaddr_in()?.ip();
        Some((entry.interface_name, address))
    };
    all.filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    fn route(interface: &str, base: [u8; 4], length: u32, flags: u32) -> String {
        let destination = u32::from(Ipv4Addr::from(base)).swap_bytes();
        let mask = (u64::from(u32::MAX) << (32 - length)) as u32;
        format!(
            "{interface}\t{destination:08X}\t00000000\t{flags:04X}\t0\t0\t0\t{:08X}\t0\t0\t0\n",
            mask.swap_bytes()
        )
    }

    fn taken(routes: &[String], addresses: &[(&str, [u8; 4])]) -> Taken {
        let addresses = addresses.iter().map(|(i, a)| ((*i).to_owned(), Ipv4Addr::from(*a)));
        Taken {
            routes: parse(&format!("{HEAD}{}", routes.concat())),
            addresses: addresses.collect(),
        }
    }

    fn network(high: u8, low: u8) -> Network {
        Network { base: Ipv4Addr::new(198, high, low, 0) }
    }

    #[test]
    fn a_shorter_route_takes_nothing() {
        let routes = [
            route("vpn0", [0, 0, 0, 0], 1, 1),
            route("vpn0", [128, 0, 0, 0], 1, 1),
            route("vpn0", [192, 0, 0, 0], 2, 1),
            route("eth0", [0, 0, 0, 0], 0, 3),
            route("vpn0", [198, 0, 0, 0], 8, 1),
            route("vpn0", [198, 16, 0, 0], 14, 1),
            route("*", [198, 18, 0, 0], 15, REJECT | 1),
        ];
        let taken = taken(&routes, &[]);
        assert_eq!(taken.by(network(18, 2), "andamio-0"), None);
    }

    #[test]
    fn a_longer_route_or_an_address_takes_its_part() {
        let routes = [
            route("tun0", [198, 18, 0, 0], 16, 1),
            route("tun1", [198, 19, 3, 64], 26, 1),
            route("andamio-0", [198, 19, 4, 0], 24, 1),
            route("*", [198, 19, 5, 0], 24, REJECT | 1),
        ];
        let taken = taken(&routes, &[("wg0", [198, 19, 7, 9])]);
        let by = |high, low| taken.by(network(high, low), "andamio-0");
        assert_eq!(by(18, 77), Some("tun0"));
        assert_eq!(by(19, 3), Some("tun1"));
        assert_eq!(by(19, 7), Some("wg0"));
        assert_eq!((by(19, 4), by(19, 6)), (None, None));
        assert_eq!(by(19, 5), Some("*"));
    }
}
