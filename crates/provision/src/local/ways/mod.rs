//! Do packets get through? Asked with real ones, from inside of the machines' networks: to their name servers, to the
//! host's gateway, and from each machine to the next. This host asks the same at the same time, so that what is
//! away for everybody is not taken for what is closed to machines.

mod probe;
mod wall;

pub use wall::{Keeper, Wall};

use super::network::routes;
use super::{Local, cgroup};
use andamio_spec::Topology;
use probe::{Answers, Target};
use std::net::Ipv4Addr;

/// What a machine, or this host, got answers from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Name servers that are set there, and whether they answered.
    pub servers: Vec<(Ipv4Addr, bool)>,
    /// First hop to the rest of the world.
    pub gateway: Option<(Ipv4Addr, bool)>,
    /// Other machines: one for a machine, all for this host.
    pub machines: Vec<(Ipv4Addr, bool)>,
}

#[derive(Debug, Clone, Default)]
pub struct Ways {
    /// This host, asked for its own name servers and for those of the machines.
    pub host: Reach,
    pub machines: Vec<(String, Reach)>,
    /// What on this host drops packets; looked for only where some were lost.
    pub walls: Vec<Wall>,
}

impl Local {
    /// Asks for all machines that run, at once: milliseconds, or a second and a half where something does not answer.
    pub async fn ways(&self, topology: &Topology) -> Ways {
        let running: Vec<_> = topology.machines.iter().filter(|m| self.runs(&m.name)).collect();
        let gateway = routes::default_gateway();
        let wanted = self.resolver();
        let mut asked = Vec::new();
        for (at, machine) in running.iter().enumerate() {
            let Some(inside) = probe::Inside::of(cgroup::first(&self.id, &machine.name)) else {
                continue;
            };
            let next =
                running.get((at + 1) % running.len()).filter(|next| next.name != machine.name);
            asked.push((machine.name.clone(), inside, next.map(|next| next.address)));
        }
        let mut known = wanted.hosts.clone();
        known.extend(&wanted.servers);
        let addresses: Vec<Ipv4Addr> = running.iter().map(|machine| machine.address).collect();
        let work = move || ask(asked, known, gateway, addresses);
        let mut ways = tokio::task::spawn_blocking(work).await.unwrap_or_default();
        if ways.lost_any() {
            ways.walls = self.walls().await;
        }
        ways
    }
}

impl Ways {
    fn lost_any(&self) -> bool {
        self.machines.iter().any(|(_, reach)| {
            let gateway = reach.gateway.iter();
            reach
                .servers
                .iter()
                .chain(gateway)
                .chain(&reach.machines)
                .any(|(_, answered)| !answered)
        })
    }
}

fn ask(
    machines: Vec<(String, probe::Inside, Option<Ipv4Addr>)>,
    mut known: Vec<Ipv4Addr>,
    gateway: Option<Ipv4Addr>,
    addresses: Vec<Ipv4Addr>,
) -> Ways {
    // Each in a thread of its own: one that was in a machine never comes back.
    let threads: Vec<_> = machines
        .into_iter()
        .map(|(name, inside, next)| {
            // Known before any is asked, so that this host asks those too.
            let servers = inside.servers();
            known.extend(&servers);
            let thread = std::thread::spawn(move || {
                let targets = targets(&servers, gateway, next.as_slice());
                let answers = inside.ask(&targets)?;
                Some(reach(&answers, &servers, gateway, next.as_slice()))
            });
            (name, thread)
        })
        .collect();
    known.sort_unstable();
    known.dedup();
    let answers = probe::ask(&targets(&known, gateway, &addresses));
    let host = reach(&answers, &known, gateway, &addresses);
    let machines =
        threads.into_iter().filter_map(|(name, thread)| Some((name, thread.join().ok()??)));
    Ways { host, machines: machines.collect(), walls: Vec::new() }
}

fn targets(servers: &[Ipv4Addr], gateway: Option<Ipv4Addr>, machines: &[Ipv4Addr]) -> Vec<Target> {
    let servers = servers.iter().copied().map(Target::Names);
    servers.chain(gateway.iter().chain(machines).copied().map(Target::Echo)).collect()
}

fn reach(
    answers: &Answers,
    servers: &[Ipv4Addr],
    gateway: Option<Ipv4Addr>,
    machines: &[Ipv4Addr],
) -> Reach {
    let echo = |address: Ipv4Addr| (address, answers.contains(&Target::Echo(address)));
    Reach {
        servers: servers.iter().map(|s| (*s, answers.contains(&Target::Names(*s)))).collect(),
        gateway: gateway.map(echo),
        machines: machines.iter().copied().map(echo).collect(),
    }
}
