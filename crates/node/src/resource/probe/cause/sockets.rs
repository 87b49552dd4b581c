//! Where a unit's processes listen, read from /proc: in their own network namespace, whichever that is.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The kernel's number for a socket that listens.
const LISTENS: &str = "0A";
/// Clock ticks in a second, the same on every Linux that Debian builds.
const TICKS: u64 = 100;

/// What the processes of a unit have and use.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) listens: BTreeSet<SocketAddr>,
    /// Time of processors, of all that live.
    pub(crate) used: Duration,
}

/// Looks at every process in the unit's control group: what a container is in may be below it.
pub(crate) fn look(unit: &str) -> Seen {
    let mut seen = Seen::default();
    let Ok(entries) = fs::read_dir("/proc") else { return seen };
    for entry in entries.flatten() {
        let is_process = entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        if !is_process || !belongs(&read("cgroup"), unit) {
            continue;
        }
        seen.used += used(&read("stat"));
        let own = own_sockets(&entry.path().join("fd"));
        if !own.is_empty() {
            let tables = read("net/tcp") + &read("net/tcp6");
            let listening = tables.lines().filter_map(listener);
            let mine = listening.filter(|(_, inode)| own.contains(inode));
            seen.listens.extend(mine.map(|(address, _)| address));
        }
    }
    seen
}

fn own_sockets(descriptors: &std::path::Path) -> BTreeSet<u64> {
    let Ok(entries) = fs::read_dir(descriptors) else { return BTreeSet::new() };
    let targets = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter_map(|target| inode(target.to_str()?)).collect()
}

fn inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Whether a process of this `/proc/PID/cgroup` is one of the unit's.
fn belongs(cgroup: &str, unit: &str) -> bool {
    let paths = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.into_iter().any(|path| path.split('/').any(|part| part == unit))
}

/// User and system time of a line of `/proc/PID/stat`.
fn used(stat: &str) -> Duration {
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * (1000 / TICKS))
}

/// Address and inode of a line of `/proc/net/tcp` or `tcp6` whose socket listens.
fn listener(line: &str) -> Option<(SocketAddr, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if *fields.get(3)? != LISTENS {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((SocketAddr::new(ip(address)?, port), fields.get(9)?.parse().ok()?))
}

/// Words of 32 bits in the machine's own order.
fn ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(at * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical())
        }
        _ => None,
    }
}

/// Why nobody gets a connection to `port`, where that shows. `refused` says that an attempt over IPv4 was.
pub(crate) fn verdict(listens: &BTreeSet<SocketAddr>, port: u16, refused: bool) -> Option<String> {
    if !refused || listens.is_empty() {
        return None;
    }
    let there: Vec<&SocketAddr> = listens.iter().filter(|address| address.port() == port).collect();
    if there.is_empty() {
        let others: BTreeSet<u16> = listens.iter().map(SocketAddr::port).collect();
        let others: Vec<String> = others.iter().map(u16::to_string).collect();
        return Some(format!(
            "it listens on port {}, and {port} is declared: let both be the same (PORT in its environment is {port})",
            others.join(" and ")
        ));
    }
    let list = || there.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    if there.iter().all(|address| address.ip().is_loopback()) {
        return Some(format!(
            "it listens on {} only, where nobody outside reaches it: let it listen on 0.0.0.0",
            list()
        ));
    }
    there.iter().all(|address| address.is_ipv6()).then(|| {
        format!("it listens on {} only, which is IPv6, and is asked over IPv4: let it listen on 0.0.0.0", list())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10001        0 40001 1 0 100 0 0 10 0
   1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10001        0 40002 1 0 100 0 0 10 0
   2: 0100007F:1F92 0100007F:0016 01 00000000:00000000 00:00000000 00000000 10001        0 40003 1 0 100 0 0 10 0
   0: 00000000000000000000000000000000:1F93 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 10001 0 40004 1 0 100 0 0 10 0
   1: 00000000000000000000000001000000:1F94 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 10001 0 40005 1 0 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:1F95 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 10001 0 40006 1 0 100 0 0 10 0
";

    #[test]
    fn tables_of_sockets_are_read() {
        let read: Vec<String> =
            TABLE.lines().filter_map(listener).map(|(a, inode)| format!("{a} {inode}")).collect();
        assert_eq!(
            read,
            [
                "127.0.0.1:8080 40001",
                "0.0.0.0:8081 40002",
                "[::]:8083 40004",
                "[::1]:8084 40005",
                "127.0.0.1:8085 40006",
            ]
        );
        assert_eq!(inode("socket:[40001]"), Some(40001));
        assert_eq!(inode("/dev/null"), None);
    }

    #[test]
    fn own_processes_are_told_by_their_control_group() {
        let unified = "0::/system.slice/shop-web.service\n";
        let hybrid =
            "5:memory:/a\n1:name=systemd:/system.slice/shop-web.service/libpod-payload\n0::/\n";
        assert!(belongs(unified, "shop-web.service") && belongs(hybrid, "shop-web.service"));
        assert!(!belongs(unified, "web.service") && !belongs("0::/\n", "shop-web.service"));
    }

    #[test]
    fn what_this_process_has_is_found() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let own = own_sockets(std::path::Path::new("/proc/self/fd"));
        let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
        let found = table.lines().filter_map(listener).find(|(a, _)| *a == address);
        assert!(own.contains(&found.unwrap().1));
        assert_eq!(used("1 (a) b) S 1 1 1 0 -1 4 1 0 0 0 250 50 0 0 20"), Duration::from_secs(3));
    }

    #[test]
    fn where_it_listens_says_why_it_is_not_reached() {
        let said = |all: &[&str], refused| {
            let all = all.iter().map(|a| a.parse().unwrap()).collect();
            verdict(&all, 8080, refused).unwrap_or_default()
        };
        assert!(
            said(&["127.0.0.1:8080", "[::1]:8080"], true)
                .contains("127.0.0.1:8080 and [::1]:8080 only")
        );
        assert!(said(&["[::]:8080"], true).contains("IPv6"));
        assert!(
            said(&["0.0.0.0:3000", "127.0.0.1:9000"], true)
                .contains("port 3000 and 9000, and 8080")
        );
        for (all, refused) in [
            (&["0.0.0.0:8080"][..], true),
            (&["127.0.0.1:8080", "0.0.0.0:8080"], true),
            (&[], true),
        ] {
            assert_eq!(said(all, refused), "");
        }
        assert_eq!(said(&["[::]:8080"], false), "");
    }
}
