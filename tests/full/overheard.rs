//! Somebody who listens between the machines of an environment, and what they hear.

use crate::capture::{LINK, Opening, openings};
use crate::flows::topology;
use crate::load;
use crate::prod::healthy;
use andamio_spec::topology::{Peer, Protocol, ports};
use andamio_testkit::wait::until;
use andamio_testkit::{Running, Sandbox};
use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// NodeReport in plain words, so that what is not found is known to be findable.
const CONTROL: &str = "hello, listener";

/// Requests under load, members that come back, and one that is copied to from nothing: connections of
/// everything that is mostly connected already.
pub(super) fn use_every_way(s: &Sandbox, env: &str) {
    let machines = topology(s, env).machines.len();
    let url = healthy(s, env, machines)["url"].as_str().unwrap().to_owned();
    let accounts = load::accounts(s, env, 20);
    let loaded = load::start(&url, &accounts, 50, 15).join().unwrap();
    assert!(loaded["acknowledged"].as_u64().unwrap() > 100, "{loaded}");
    for machine in ["mariadb-2", "redis-2", "rabbitmq-2", "app-2"] {
        s.cut_power(env, machine);
    }
    drop(s.ok(&["up", env, "-y"]));
    s.lose_disk(env, "mariadb-2");
    drop(s.ok(&["up", env, "-y"]));
    drop(healthy(s, env, machines));
}

/// A capture of everything that one machine says to another.
pub(super) struct Listener {
    tcpdump: Running,
    file: PathBuf,
}

/// What was captured.
pub(super) struct Heard(Vec<u8>);

impl Listener {
    pub(super) fn start(s: &Sandbox, env: &str) -> Self {
        let network = topology(s, env).network;
        let file = s.folder.join(format!("overheard-{env}"));
        let only = format!("net {network} and not host {} and tcp", network.gateway());
        let mut tcpdump = Command::new("tcpdump");
        tcpdump.args(["-i", "any", "-y", LINK, "-U", "-w"]).arg(&file).arg(only);
        let tcpdump = Running::start(tcpdump);
        until("the capture's beginning", Duration::from_secs(10), || {
            fs::metadata(&file).map(drop).map_err(|e| e.to_string())
        });
        Self { tcpdump, file }
    }

    pub(super) fn end(self, s: &Sandbox, env: &str) -> Heard {
        let redis = topology(s, env).machine("redis-1").unwrap().address;
        s.on(env, "app-1", &format!("printf '{CONTROL}\r\n' >/dev/tcp/{redis}/6379; true"));
        let mut heard = Heard(Vec::new());
        // What comes in is written with some delay.
        until("what was said in plain words", Duration::from_secs(10), || {
            heard.0 = fs::read(&self.file).map_err(|e| e.to_string())?;
            if heard.has(CONTROL) { Ok(()) } else { Err(format!("{} bytes", heard.0.len())) }
        });
        drop(self.tcpdump);
        heard
    }
}

impl Heard {
    fn has(&self, what: &str) -> bool {
        self.0.windows(what.len()).any(|window| window == what.as_bytes())
    }

    /// Neither the application's passwords nor words of any protocol.
    pub(super) fn holds_no_words(&self, s: &Sandbox, env: &str) {
        assert!(self.0.len() > 1_000_000, "{} bytes", self.0.len());
        let variables = s.on(env, "app-1", "cat /etc/andamio/app.env");
        let mut secrets: Vec<&str> = variables
            .lines()
            .filter(|line| line.contains("_URL="))
            .flat_map(|line| {
                line.split(',').filter_map(|url| url.split_once("://")?.1.split_once('@'))
            })
            .filter_map(|(login, _)| login.split_once(':').map(|(_, password)| password))
            .collect();
        secrets.dedup();
        assert!(secrets.len() >= 3, "{} passwords", secrets.len());
        let words =
            ["POST /api/v1", "GET /readyz", "INSERT INTO", "SELECT ", "E0000", "x-queue-type"];
        for what in words.iter().chain(&secrets) {
            assert!(!self.has(what), "{what} was overheard");
        }
    }

    /// Every service of the table of flows was spoken to, and each connection begins with TLS; how many there
    /// were.
    pub(super) fn is_tls(&self, s: &Sandbox, env: &str) -> usize {
        let topology = topology(s, env);
        let name = |address: Ipv4Addr| {
            topology.machines.iter().find(|m| m.address == address).map_or("?", |m| m.name.as_str())
        };
        let mut openings = openings(&self.0);
        openings.retain(|opening| !opening.is_silent());
        let encrypted = |opening: &&Opening| match opening.to.port() {
            ports::MARIADB => opening.is_mariadb_tls(),
            _ => opening.is_tls(),
        };
        let (tls, plain): (Vec<&Opening>, Vec<&Opening>) = openings.iter().partition(encrypted);
        let plain: Vec<String> = plain
            .iter()
            .map(|o| format!("{} to {}:{}", name(o.from), name(*o.to.ip()), o.to.port()))
            .collect();
        assert_eq!(plain, ["app-1 to redis-1:6379"], "plain, of {} connections", openings.len());
        let between = topology
            .flows
            .iter()
            .filter(|flow| matches!(flow.from, Peer::Machine(_)) && flow.protocol == Protocol::Tcp);
        let declared: BTreeSet<(&str, u16)> =
            between.map(|flow| (flow.service.as_str(), flow.port)).collect();
        let used: BTreeSet<(&str, u16)> = topology
            .flows
            .iter()
            .filter(|flow| {
                tls.iter().any(|o| {
                    flow.from == Peer::Machine(name(o.from).to_owned())
                        && flow.to == name(*o.to.ip())
                        && flow.port == o.to.port()
                })
            })
            .map(|flow| (flow.service.as_str(), flow.port))
            .collect();
        assert_eq!(used, declared, "used, and in the table");
        tls.len()
    }
}
