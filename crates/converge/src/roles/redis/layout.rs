//! Which Redis instance is where, and which slots or whose copy it has.

use andamio_spec::Topology;
use andamio_spec::topology::{Role, ports};
use std::net::Ipv4Addr;

/// The hash slots of a cluster, given by Redis.
const SLOTS: usize = 16_384;

/// One server of the cluster as it is planned. A failover may have turned master and replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisNode {
    pub machine: String,
    pub address: Ipv4Addr,
    pub port: u16,
    /// First and last slot of a master.
    pub slots: Option<(u16, u16)>,
    /// Address and port of the master it copies.
    pub replica_of: Option<(Ipv4Addr, u16)>,
}

/// All instances, masters first. The copy of a master is never on its own machine.
///
/// Two machines have three masters among them, an odd number of votes; each of their copies is on the
/// other machine. From three machines on, each has one master, and the copy of the one before it.
#[must_use]
pub fn redis_nodes(topology: &Topology) -> Vec<RedisNode> {
    let machines: Vec<_> = topology.with_role(Role::Redis).collect();
    let ports: Vec<u16> = ports::redis(machines.len()).collect();
    // Places of masters, then of copies in the same order: index of the machine, index of the port.
    let (masters, copies): (Vec<_>, Vec<_>) = match machines.len() {
        0 => return Vec::new(),
        1 => (vec![(0, 0)], Vec::new()),
        2 => (vec![(0, 0), (1, 0), (0, 1)], vec![(1, 1), (0, 2), (1, 2)]),
        count => (
            (0..count).map(|machine| (machine, 0)).collect(),
            (0..count).map(|machine| ((machine + 1) % count, 1)).collect(),
        ),
    };
    let place = |(machine, port): (usize, usize)| {
        let machine = machines.get(machine)?;
        Some((machine, *ports.get(port)?))
    };
    let count = masters.len();
    let node = |at, slots, replica_of| {
        let (machine, port) = place(at)?;
        let (name, address) = (machine.name.clone(), machine.address);
        Some(RedisNode { machine: name, address, port, slots, replica_of })
    };
    let of_masters = masters.iter().enumerate().map(|(n, at)| node(*at, slots(n, count), None));
    let of_copies = copies.iter().zip(&masters).map(|(at, master)| {
        node(*at, None, place(*master).map(|(machine, port)| (machine.address, port)))
    });
    of_masters.chain(of_copies).flatten().collect()
}

/// The `n`th of `count` equal parts.
fn slots(n: usize, count: usize) -> Option<(u16, u16)> {
    let first = u16::try_from(n * SLOTS / count).ok()?;
    let last = u16::try_from((n + 1) * SLOTS / count - 1).ok()?;
    Some((first, last))
}
