//! What is wrong around the machines although each of them may be well: what this host does to their packets, their
//! names and their disks. Judging is pure.

use crate::Instance;
use andamio_provision::local::{Reach, Room, Wall, Ways};
use andamio_provision::{Inventory, Provider};
use andamio_spec::Topology;
use andamio_spec::units::format_bytes;
use jiff::Timestamp;
use serde::Serialize;
use std::net::Ipv4Addr;

/// Something that somebody has to know about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Concern {
    /// Stable, as in docs/errors.md.
    pub code: &'static str,
    pub severity: Severity,
    /// A machine, or `host`.
    pub subject: String,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    pub message: String,
    pub help: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Now.
    Page,
    /// In the next days.
    Ticket,
}

const HOST: &str = "host";

/// Looks at this host, and sends packets from the machines that run. Nothing of it exists at other places.
pub async fn concerns(instance: &Instance) -> Vec<Concern> {
    let Provider::Local(local) = &instance.provider else { return Vec::new() };
    let inventory = instance.inventory();
    let topology = &instance.topology;
    let runs = topology.machines.iter().any(|m| local.runs(&m.name));
    let (differs, ways) = if runs {
        tokio::join!(local.network_differs(), local.ways(topology))
    } else {
        (Vec::new(), Ways::default())
    };
    let around = Around {
        topology,
        bridge: &local.bridge(),
        wanted: &local.resolver().servers,
        hosts: &local.resolver().hosts,
        differs: &differs,
        ways: &ways,
        room: local.room(),
        inventory: &inventory,
    };
    concerns_of(&around)
}

struct Around<'a> {
    topology: &'a Topology,
    bridge: &'a str,
    /// Name servers that machines have to have.
    wanted: &'a [Ipv4Addr],
    /// Those of this host's own file.
    hosts: &'a [Ipv4Addr],
    differs: &'a [String],
    ways: &'a Ways,
    room: Room,
    inventory: &'a Inventory,
}

fn concerns_of(around: &Around<'_>) -> Vec<Concern> {
    let up = format!("`andamio up {}`", around.topology.env);
    let concern = |code, severity, subject: &str, message: String, help: String| {
        let subject = subject.to_owned();
        Concern { code, severity, subject, since: None, message, help }
    };
    let mut concerns = Vec::new();
    for found in around.inventory.machines.iter().filter(|found| found.read_only) {
        let message = format!(
            "the disk of {} has become read-only: nothing is kept there any more",
            found.name
        );
        let help = format!(
            "see that this host's disk has room, then {up}: it is checked and the machine started again"
        );
        concerns.push(concern("disk-read-only", Severity::Page, &found.name, message, help));
    }
    concerns.extend(room(around, &up));
    if !around.differs.is_empty() {
        let message = format!(
            "the machines' network on this host is not as it was made: {}",
            around.differs.join("; ")
        );
        concerns.push(concern(
            "network",
            Severity::Page,
            HOST,
            message,
            format!("{up} makes it anew"),
        ));
    }
    let host = &around.ways.host;
    let answers = |list: &[(Ipv4Addr, bool)], address: &Ipv4Addr| list.contains(&(*address, true));
    let mut cut: Vec<String> = Vec::new();
    let mut inside: Vec<&str> = Vec::new();
    for (name, reach) in &around.ways.machines {
        let lost =
            |(address, heard): &&(Ipv4Addr, bool)| !heard && answers(&host.machines, address);
        if let Some((address, _)) = reach.machines.iter().find(lost) {
            let other = around.topology.machines.iter().find(|m| m.address == *address);
            cut.push(format!("{name} to {}", other.map_or("another", |m| m.name.as_str())));
        }
        if outside(reach, host) {
            inside.push(name);
        } else if let Some(concern) = names(around, name, reach, &up) {
            concerns.push(concern);
        }
    }
    // What follows from a network that is not as it was made is not said beside it.
    if (!cut.is_empty() || !inside.is_empty()) && around.differs.is_empty() {
        if !inside.is_empty() {
            cut.push(format!("{} to the outside (or their answers)", inside.join(", ")));
        }
        let message = format!(
            "packets from {} are lost on this host, whose own get answers there{}",
            cut.join(", from "),
            because(&around.ways.walls)
        );
        concerns.push(concern("forward", Severity::Page, HOST, message, remedy(around)));
    }
    concerns.sort_by_key(|concern| concern.severity);
    concerns
}

/// The machine gets no answer from where this host gets one.
fn outside(reach: &Reach, host: &Reach) -> bool {
    let lost = |here: &[(Ipv4Addr, bool)], there: &[(Ipv4Addr, bool)]| {
        here.iter().any(|(address, heard)| !heard && there.contains(&(*address, true)))
    };
    let any = |list: &[(Ipv4Addr, bool)]| list.iter().any(|(_, heard)| *heard);
    !any(&reach.servers) && lost(&reach.servers, &host.servers)
        || lost(reach.gateway.as_slice(), host.gateway.as_slice())
}

/// The machine's name servers are not those that answer, or there are none.
fn names(around: &Around<'_>, name: &str, reach: &Reach, up: &str) -> Option<Concern> {
    let heard = |address: &Ipv4Addr| around.ways.host.servers.contains(&(*address, true));
    if reach.servers.iter().any(|(_, heard)| *heard) {
        return None;
    }
    let concern = |message: String, help: String| Concern {
        code: "resolver",
        severity: Severity::Page,
        subject: name.to_owned(),
        since: None,
        message,
        help,
    };
    let has: Vec<String> = reach.servers.iter().map(|(address, _)| address.to_string()).collect();
    if around.wanted.iter().any(heard) {
        let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
        return Some(concern(
            format!(
                "{name} asks name servers that this host does not use any more ({has}) and gets no answer"
            ),
            format!("{up} gives it those of this host"),
        ));
    }
    let own = around.hosts.iter().find(|address| address.is_loopback() && heard(address))?;
    around.wanted.is_empty().then(|| {
        concern(
            format!("{name} cannot look up names: this host's name server ({own}) serves the host alone"),
            format!(
                "have it serve another address of this host too, name that address in the host's /etc/resolv.conf, then {up}"
            ),
        )
    })
}

fn room(around: &Around<'_>, up: &str) -> Option<Concern> {
    let room = around.room;
    let (free, reserve) = (format_bytes(room.free_bytes), format_bytes(room.reserve_bytes));
    let (severity, message) = if room.is_short() {
        (
            Severity::Page,
            format!(
                "{free} are free on this host's disk, less than the {reserve} that are kept there: when it is full, the machines' disks become read-only"
            ),
        )
    } else if room.is_low() {
        (
            Severity::Ticket,
            format!("{free} are free on this host's disk; with less than {reserve} {up} refuses"),
        )
    } else {
        return None;
    };
    let help =
        "free some space there: `du -xh --max-depth=3 / | sort -h | tail` shows what is large";
    Some(Concern {
        code: "disk",
        severity,
        subject: HOST.to_owned(),
        since: None,
        message,
        help: help.to_owned(),
    })
}

fn because(walls: &[Wall]) -> String {
    let walls: Vec<String> = walls.iter().map(ToString::to_string).collect();
    if walls.is_empty() {
        return String::new();
    }
    format!(". What drops what is forwarded: {}", walls.join("; "))
}

fn remedy(around: &Around<'_>) -> String {
    let remedies: Vec<String> =
        around.ways.walls.iter().map(|wall| format!("`{}`", wall.remedy(around.bridge))).collect();
    if remedies.is_empty() {
        return format!(
            "let {} through this host's firewall: `nft list ruleset` shows its rules",
            around.bridge
        );
    }
    format!("let {} through: {}", around.bridge, remedies.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use andamio_provision::local::Keeper;

    const A: Ipv4Addr = Ipv4Addr::new(198, 18, 7, 10);
    const B: Ipv4Addr = Ipv4Addr::new(198, 18, 7, 40);
    const DNS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 53);
    const OLD: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 9);
    const PLENTY: Room = Room { free_bytes: 100, reserve_bytes: 1 };

    fn of(
        ways: &Ways,
        wanted: &[Ipv4Addr],
        hosts: &[Ipv4Addr],
        room: Room,
    ) -> Vec<(&'static str, String, String)> {
        let text = "[project]\nname = \"x\"\n[environments.dev]\nredis = { machines = 1 }\n";
        let spec = andamio_spec::parse("andamio.toml", text).spec.unwrap();
        let network = "198.18.7.0/24".parse().unwrap();
        let topology = andamio_spec::topology::compute(&spec, "dev", "local", network).unwrap();
        let concerns = concerns_of(&Around {
            topology: &topology,
            bridge: "andamio-0",
            wanted,
            hosts,
            differs: &[],
            ways,
            room,
            inventory: &Inventory::default(),
        });
        concerns.into_iter().map(|c| (c.code, c.message, c.help)).collect()
    }

    fn ways(host: Reach, machine: Reach) -> Ways {
        let wall = Wall {
            keeper: Keeper::Ufw,
            table: "ip filter".to_owned(),
            chain: "FORWARD".to_owned(),
            what: "policy drop".to_owned(),
        };
        Ways { host, machines: vec![("app-1".to_owned(), machine)], walls: vec![wall] }
    }

    #[test]
    fn what_nobody_reaches_is_no_concern() {
        let lost = Reach {
            servers: vec![(DNS, false)],
            gateway: Some((A, false)),
            machines: vec![(B, false)],
        };
        assert_eq!(of(&ways(lost.clone(), lost), &[DNS], &[DNS], PLENTY), []);
    }

    #[test]
    fn what_this_host_alone_reaches_is_one() {
        let host = Reach {
            servers: vec![(DNS, true)],
            gateway: None,
            machines: vec![(A, true), (B, true)],
        };
        let machine =
            Reach { servers: vec![(DNS, false)], gateway: None, machines: vec![(B, false)] };
        let said = of(&ways(host.clone(), machine.clone()), &[DNS], &[DNS], PLENTY);
        assert_eq!(said.len(), 1);
        assert!(said.iter().all(|(code, message, help)| *code == "forward"
            && message.contains("app-1 to the outside")
            && message.contains("ip filter, chain FORWARD (policy drop), of ufw")
            && help.contains("ufw route allow in on andamio-0")));
        // One of two servers is away for the machine: the other one answers.
        let machine = Reach {
            servers: vec![(OLD, false), (DNS, true)],
            gateway: None,
            machines: vec![(B, true)],
        };
        assert_eq!(of(&ways(host, machine), &[DNS], &[DNS], PLENTY), []);
    }

    #[test]
    fn names_of_yesterday() {
        let host = Reach { servers: vec![(DNS, true), (OLD, false)], ..Reach::default() };
        let machine = Reach { servers: vec![(OLD, false)], ..Reach::default() };
        let said = of(&ways(host, machine), &[DNS], &[DNS], PLENTY);
        assert!(said[0].0 == "resolver" && said[0].1.contains("10.9.9.9"), "{said:?}");
        let host = Reach { servers: vec![(Ipv4Addr::LOCALHOST, true)], ..Reach::default() };
        let said = of(&ways(host, Reach::default()), &[], &[Ipv4Addr::LOCALHOST], PLENTY);
        assert!(said[0].0 == "resolver" && said[0].1.contains("127.0.0.1"), "{said:?}");
    }

    #[test]
    fn a_full_host_is_said_before() {
        let with = |free_bytes| {
            let said =
                of(&Ways::default(), &[], &[], Room { free_bytes, reserve_bytes: 2_000_000_000 });
            said.into_iter().next().map(|(code, message, _)| (code, message))
        };
        let (_, low) = with(3_000_000_000).unwrap();
        assert!(low.starts_with("3 GB are free") && low.contains("2 GB"), "{low}");
        assert!(with(1_000_000_000).unwrap().1.contains("less than the 2 GB"));
        assert_eq!(with(4_000_000_000), None);
    }
}
