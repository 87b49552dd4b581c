//! The flow table as packet filter: what is not a flow is closed.
//!
//! Written as `nft list` writes it, so that text and live rules can be compared line by line.

use crate::context::RoleContext;
use andamio_spec::topology::{Flow, Peer, Protocol};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Sources of one port; `None` is everyone.
type Sources = Option<BTreeSet<Ipv4Addr>>;

pub(super) fn ruleset(cx: &RoleContext<'_>) -> String {
    let mut ports: BTreeMap<(Protocol, u16), (BTreeSet<&str>, Sources)> = BTreeMap::new();
    for flow in cx.inputs.topology.flows_to(&cx.machine.name) {
        let (services, sources) = ports
            .entry((flow.protocol, flow.port))
            .or_insert_with(|| (BTreeSet::new(), Some(BTreeSet::new())));
        services.insert(&flow.service);
        match source(cx, flow) {
            Source::Everyone => *sources = None,
            Source::Address(address) => {
                if let Some(sources) = sources {
                    sources.insert(address);
                }
            }
            Source::Unknown => {}
        }
    }
    let mut text = HEAD.to_owned();
    for ((protocol, port), (services, sources)) in &ports {
        let from = match sources {
            None => String::new(),
            Some(sources) if sources.is_empty() => continue,
            Some(sources) => format!("ip saddr {} ", set(sources)),
        };
        let what = match protocol {
            Protocol::Tcp => format!("tcp dport {port}"),
            Protocol::Udp => format!("udp dport {port}"),
            Protocol::Vrrp => "ip protocol 112".to_owned(),
        };
        let services: Vec<&str> = services.iter().copied().collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\t\t{from}{what} accept comment \"{}\"", services.join(" "));
    }
    text.push_str(TAIL);
    text
}

const HEAD: &str = "table inet andamio {
\tchain input {
\t\ttype filter hook input priority filter; policy drop;
\t\tct state vmap { invalid : drop, established : accept, related : accept }
\t\tiifname \"lo\" accept
\t\ticmp type echo-request limit rate 20/second burst 5 packets accept
\t\ticmpv6 type echo-request limit rate 20/second burst 5 packets accept
\t\ticmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
";

const TAIL: &str = "\t}

\tchain forward {
\t\ttype filter hook forward priority filter; policy drop;
\t}
}
";

enum Source {
    Everyone,
    Address(Ipv4Addr),
    /// A machine that is not there (any more) opens nothing.
    Unknown,
}

fn source(cx: &RoleContext<'_>, flow: &Flow) -> Source {
    match &flow.from {
        Peer::World => Source::Everyone,
        Peer::Operator if cx.is_local() => Source::Address(cx.inputs.topology.network.gateway()),
        Peer::Operator => Source::Everyone,
        Peer::Machine(name) => cx
            .inputs
            .topology
            .machine(name)
            .map_or(Source::Unknown, |machine| Source::Address(machine.address)),
    }
}

fn set(addresses: &BTreeSet<Ipv4Addr>) -> String {
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    match list.as_slice() {
        [one] => one.clone(),
        _ => format!("{{ {} }}", list.join(", ")),
    }
}
