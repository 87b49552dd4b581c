//! Name servers for machines, from what this host uses. Deciding is pure.

use super::network::routes;
use std::net::{IpAddr, Ipv4Addr};

const HOST: &str = "/etc/resolv.conf";
/// Where programs that serve names on the host's own loopback keep the servers behind them.
const BEHIND: [&str; 5] = [
    "/run/systemd/resolve/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
    "/run/connman/resolv.conf",
    "/run/dnsmasq/resolv.conf",
    "/etc/resolv.dnsmasq.conf",
];
/// What `resolv.conf` can have more of than the C library looks at.
const MOST: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    /// For `/etc/resolv.conf` of a machine.
    pub text: String,
    pub servers: Vec<Ipv4Addr>,
    /// Those of `servers` that are this host's own addresses: its filter has to let them be asked.
    pub own: Vec<Ipv4Addr>,
    /// What this host asks itself, as its own file says.
    pub hosts: Vec<Ipv4Addr>,
}

/// What this host uses now. `gateway` is the host as machines see it.
pub(super) fn of_host(gateway: Ipv4Addr) -> Resolver {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let files: Vec<String> = [HOST].iter().chain(&BEHIND).map(|path| read(path)).collect();
    let addresses: Vec<Ipv4Addr> = routes::addresses().into_iter().map(|(_, a)| a).collect();
    let sockets = read("/proc/net/udp") + &read("/proc/net/udp6");
    decide(&files, &addresses, serves_everywhere(&sockets).then_some(gateway))
}

/// `files`: the host's own first. A machine reaches neither the host's loopback nor, having IPv4 only, a
/// server with an IPv6 address. `gateway` is given where a name server of the host answers at all its
/// addresses.
fn decide(files: &[String], addresses: &[Ipv4Addr], gateway: Option<Ipv4Addr>) -> Resolver {
    let own_file = files.first().map_or("", String::as_str);
    let hosts = servers(own_file);
    let reachable = |text: &str| -> Vec<Ipv4Addr> {
        servers(text).into_iter().filter(|s| !s.is_loopback() && !s.is_unspecified()).collect()
    };
    let mut found = reachable(own_file);
    let mut rest = own_file;
    for behind in files.iter().skip(1) {
        if found.is_empty() {
            found = reachable(behind);
            if !found.is_empty() && !has_search(own_file) {
                rest = behind;
            }
        }
    }
    if found.is_empty() {
        found.extend(gateway);
    }
    found.truncate(MOST);
    let mut text = String::new();
    for line in rest.lines().filter(|line| is_setting(line)) {
        text.push_str(&format!("{}\n", line.trim()));
    }
    for server in &found {
        text.push_str(&format!("nameserver {server}\n"));
    }
    if found.is_empty() {
        text.push_str("# This host has no name server that a machine can reach.\n");
    }
    let is_own = |server: &&Ipv4Addr| addresses.contains(server) || Some(**server) == gateway;
    Resolver { own: found.iter().filter(is_own).copied().collect(), servers: found, text, hosts }
}

/// IPv4 addresses of name servers.
pub(super) fn servers(text: &str) -> Vec<Ipv4Addr> {
    let words = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()).flatten()
    });
    let v4 = |word: &str| match word.parse() {
        Ok(IpAddr::V4(address)) => Some(address),
        Ok(IpAddr::V6(address)) => address.to_ipv4_mapped(),
        // `fe80::1%eth0`
        Err(_) => None,
    };
    words.filter_map(v4).collect()
}

fn is_setting(line: &str) -> bool {
    let first = line.split_whitespace().next();
    matches!(first, Some("search" | "domain" | "options"))
}

fn has_search(text: &str) -> bool {
    text.lines().any(|line| matches!(line.split_whitespace().next(), Some("search" | "domain")))
}

/// Does anything take UDP to port 53 at every address? Of `/proc/net/udp` and `udp6`.
fn serves_everywhere(sockets: &str) -> bool {
    sockets.lines().filter_map(|line| line.split_whitespace().nth(1)).any(|local| {
        local
            .split_once(':')
            .is_some_and(|(address, port)| port == "0035" && address.bytes().all(|b| b == b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 18, 2, 1);

    fn of(files: &[&str], gateway: Option<Ipv4Addr>) -> Resolver {
        let files: Vec<String> = files.iter().map(|f| (*f).to_owned()).collect();
        decide(&files, &[Ipv4Addr::new(192, 0, 2, 2)], gateway)
    }

    #[test]
    fn takes_what_a_machine_can_reach() {
        let own = "# made by hand\nsearch example.org\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\noptions edns0\n";
        let plain = of(&[own, "nameserver 10.9.9.9\n"], Some(GATEWAY));
        assert_eq!(plain.text, "search example.org\noptions edns0\nnameserver 10.0.0.1\n");
        assert!(plain.own.is_empty());
        let stub = of(
            &["nameserver 127.0.0.53\noptions trust-ad\n", "nameserver 10.9.9.9\nsearch lan\n"],
            None,
        );
        assert_eq!(stub.text, "search lan\nnameserver 10.9.9.9\n");
        assert_eq!(stub.hosts, [Ipv4Addr::new(127, 0, 0, 53)]);
        // One of the host's own addresses: its filter has to know.
        assert_eq!(of(&["nameserver 192.0.2.2\n"], None).own, [Ipv4Addr::new(192, 0, 2, 2)]);
    }

    #[test]
    fn a_server_on_loopback_alone_is_asked_at_the_bridge_or_not_at_all() {
        let served = of(&["nameserver 127.0.0.1\n"], Some(GATEWAY));
        assert_eq!((served.servers, served.own), (vec![GATEWAY], vec![GATEWAY]));
        let none = of(&["nameserver ::1\nnameserver 127.0.0.1\n"], None);
        assert_eq!((none.servers.len(), none.hosts), (0, vec![Ipv4Addr::LOCALHOST]));
        assert!(none.text.starts_with('#'));
        assert!(serves_everywhere("  12: 00000000:0035 00000000:0000 07\n"));
        assert!(!serves_everywhere("  12: 0100007F:0035 00000000:0000 07\n"));
    }
}
