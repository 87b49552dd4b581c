//! Who reaches whom, measured: from every machine and from the host to every socket that listens on any
//! machine. What answers has to be the table of flows, no more and no less. Proves S1.

use andamio_spec::topology::{Network, Peer, Protocol, Topology, compute};
use andamio_testkit::Sandbox;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

/// Name of the host in what is found; no machine is called so.
const HOST: &str = "the host";

/// One opening: from, to, port.
type Way = (String, String, u16);

/// Compares what answers with the table, from the named machines or from all; one line for each difference,
/// and how many ways were tried.
pub(crate) fn differences(s: &Sandbox, env: &str, from: &[&str]) -> (Vec<String>, usize) {
    let topology = topology(s, env);
    let listening = sockets(s, env, &topology);
    let mut tried = 0;
    let mut open: BTreeSet<Way> = BTreeSet::new();
    let all: Vec<&str> = topology.machines.iter().map(|m| m.name.as_str()).collect();
    let sources = if from.is_empty() { all } else { from.to_vec() };
    for source in &sources {
        let targets = listening.iter().filter(|(to, ..)| to != source);
        let targets: Vec<&(String, IpAddr, u16)> = targets.collect();
        tried += targets.len();
        // All at once: what is closed drops packets, and each would cost its second.
        let tries: Vec<String> = targets
            .iter()
            .map(|(to, address, port)| {
                format!(
                    "(timeout 2 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo {to} {port}) &"
                )
            })
            .collect();
        let said = s.on(env, source, &format!("{} wait", tries.join(" ")));
        for line in said.lines() {
            let (to, port) = line.split_once(' ').unwrap();
            open.insert(((*source).to_owned(), to.to_owned(), port.parse().unwrap()));
        }
    }
    tried += listening.len();
    for (to, address, port) in &listening {
        let address = SocketAddr::new(*address, *port);
        if TcpStream::connect_timeout(&address, Duration::from_millis(300)).is_ok() {
            open.insert((HOST.to_owned(), to.clone(), *port));
        }
    }
    let table = table(&topology, &sources, &listening);
    let open_too_many = open.difference(&table).map(|w| format!("open, not in the table: {w:?}"));
    let closed = table.difference(&open).map(|w| format!("in the table, not open: {w:?}"));
    (open_too_many.chain(closed).collect(), tried)
}

pub(crate) fn topology(s: &Sandbox, env: &str) -> Topology {
    let status: Value = s.ok(&["status", env, "--json"]).json();
    let text = std::fs::read_to_string(s.file()).unwrap();
    let spec = andamio_spec::parse("andamio.toml", &text).spec.unwrap();
    let first = status["machines"][0]["address"].as_str().unwrap();
    let (base, _) = first.rsplit_once('.').unwrap();
    let network = Network { base: format!("{base}.0").parse().unwrap() };
    compute(&spec, env, "local", network).unwrap()
}

/// Machine, address and port of every TCP socket that waits for connections, on any address but loopback:
/// nothing else can answer.
pub(crate) fn listening(s: &Sandbox, env: &str) -> Vec<(String, IpAddr, u16)> {
    sockets(s, env, &topology(s, env))
}

fn sockets(s: &Sandbox, env: &str, topology: &Topology) -> Vec<(String, IpAddr, u16)> {
    let mut all = BTreeSet::new();
    for machine in &topology.machines {
        let said = s.on(env, &machine.name, "ss -Hltn | awk '{print $4}'");
        for socket in said.lines() {
            let (address, port) = socket.rsplit_once(':').unwrap();
            let address = address.split('%').next().unwrap().trim_matches(['[', ']']);
            if address.starts_with("127.") || address == "::1" {
                continue;
            }
            let port = port.parse().unwrap();
            let own = IpAddr::from(machine.address);
            // The floating address is its holder's, and the other one's socket waits for its day.
            all.insert((machine.name.clone(), own, port));
        }
    }
    all.into_iter().collect()
}

/// What the table says of these sources. An entry whose service does not listen shows as closed.
fn table(
    topology: &Topology,
    sources: &[&str],
    listening: &[(String, IpAddr, u16)],
) -> BTreeSet<Way> {
    let mut ways = BTreeSet::new();
    for flow in topology.flows.iter().filter(|f| f.protocol == Protocol::Tcp) {
        // Copies between databases listen while they run, and only then.
        let now = listening.iter().any(|(to, _, port)| *to == flow.to && *port == flow.port);
        if !now
            && (flow.service.ends_with("-sst")
                || flow.service.ends_with("-copy")
                || flow.service.ends_with("-ist"))
        {
            continue;
        }
        let mut way = |from: &str| ways.insert((from.to_owned(), flow.to.clone(), flow.port));
        match &flow.from {
            Peer::Operator => {
                way(HOST);
            }
            Peer::World => {
                way(HOST);
                for from in sources.iter().filter(|from| **from != flow.to) {
                    way(from);
                }
            }
            Peer::Machine(from) => {
                if sources.contains(&from.as_str()) {
                    way(from);
                }
            }
        }
    }
    ways
}
