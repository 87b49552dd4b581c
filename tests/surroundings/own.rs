//! A host of its own: a network namespace and a disk of 4 GB, in which one environment lives through what else is on
//! people's hosts. VPNs, Docker, firewalls, another network, a full disk. Nothing of it touches the real host's
//! rules or disk.

use super::{M, TOML, among, complains};
use andamio_testkit::{Abandoned, Ended, Sandbox, Steps, command, sandbox::DEADLINE};
use serde_json::Value;
use std::process::Command;

pub(super) struct Own {
    sandbox: Sandbox,
    /// Of the network namespace, of its cable's two ends, and of the real host's table for it.
    name: String,
    disk: String,
}

/// The real host's end of the cable and the other.
const OUTSIDE: &str = "203.0.113.1";
const INSIDE: &str = "203.0.113.2";
const BYTES: &str = "4400M";

impl Own {
    fn new() -> Self {
        let sandbox = Sandbox::new(TOML);
        let name = format!("at{}", std::process::id() % 100_000);
        let disk = sandbox.folder.join("host").display().to_string();
        let own = Self { sandbox, name, disk };
        let Self { name, disk, .. } = &own;
        shell(&format!(
            "mkdir {disk}; truncate -s {BYTES} {disk}.img; mkfs.ext4 -q -F -m 0 {disk}.img; mount -o loop {disk}.img {disk}
             ip netns add {name}
             ip link add {name} type veth peer name outside netns {name}
             ip address add {OUTSIDE}/30 dev {name}; ip link set {name} up
             nft 'table ip {name} {{ chain p {{ type nat hook postrouting priority srcnat; ip saddr {INSIDE} masquerade; }}; }}'"
        ));
        own.here(&format!(
            "ip link set lo up; ip address add {INSIDE}/30 dev outside; ip link set outside up
             ip route add default via {OUTSIDE}; echo 0 >/proc/sys/net/ipv4/ip_forward"
        ));
        own
    }

    /// A shell line on that host.
    fn here(&self, line: &str) -> String {
        let mut sh = Command::new("ip");
        sh.args(["netns", "exec", &self.name, "sh", "-ec", line]);
        command::run(sh, DEADLINE).expect(0).stdout
    }

    /// A verb on that host, with mounts that the line makes.
    fn with(&self, setup: &str, arguments: &[&str]) -> Ended {
        // Interfaces are shown by the file system of /sys, which has the control groups below it.
        let mounts = format!(
            "mkdir -p /var/lib/andamio {disk}.sys; mount --rbind /sys/fs/cgroup {disk}.sys; mount -t sysfs none /sys
             mount --rbind {disk}.sys /sys/fs/cgroup; umount -l {disk}.sys
             mount --bind {disk} /var/lib/andamio; {setup}",
            disk = self.disk
        );
        let inner = among(&mounts, &self.sandbox.command(arguments));
        let mut outer = Command::new("nsenter");
        outer.arg(format!("--net=/run/netns/{}", self.name));
        outer.arg(inner.get_program()).args(inner.get_args());
        if let Some(folder) = inner.get_current_dir() {
            outer.current_dir(folder);
        }
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        command::run(outer, DEADLINE)
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.with(":", arguments)
    }

    fn up(&self) -> Ended {
        self.run(&["up", "one", "-y"]).expect(0)
    }

    fn on(&self, line: &str) -> String {
        self.run(&["exec", "one", M, "--", line]).expect(0).stdout
    }

    /// `status` with these codes among its concerns, and not healthy.
    fn concerns(&self, setup: &str, codes: &[&str]) -> Value {
        let status = self.with(setup, &["status", "one", "--json"]).expect(7).json();
        let said: Vec<&str> = status["concerns"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|c| c["code"].as_str())
            .collect();
        assert_eq!(said, codes, "{status}");
        status
    }

    /// Nothing to say, and nothing to do.
    fn is_well(&self) {
        let status = self.run(&["status", "one", "--json"]).expect(0).json();
        assert_eq!(
            (&status["state"], &status["healthy"]),
            (&"healthy".into(), &true.into()),
            "{status}"
        );
        drop(self.run(&["plan", "one", "--exit-code"]).expect(0));
    }

    fn bridge(&self) -> String {
        format!("andamio-{}", self.sandbox.id("one"))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.run(&["down", "one", "-y"]));
        let Self { name, disk, .. } = self;
        // What is gone already is no failure.
        shell(&format!(
            "nft delete table ip {name} || true; ip link delete {name} || true; ip netns delete {name} || true
             umount {disk} || true; rm -rf {disk}.img"
        ));
    }
}

fn shell(line: &str) {
    let mut sh = Command::new("sh");
    sh.args(["-ec", line]);
    drop(command::run(sh, DEADLINE).expect(0));
}

pub(super) fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let mut own = None;
    steps.must("beside a VPN that has half of the world, and beside Docker", || {
        let own = own.insert(Own::new());
        own.here(
            "ip link add vpn0 type veth peer name vpn1; ip link set vpn0 up; ip link set vpn1 up
             ip address add 10.8.0.2/24 dev vpn0; ip route add 198.0.0.0/8 dev vpn0
             for net in 0.0.0.0/1 128.0.0.0/1 192.0.0.0/2; do ip route add $net dev vpn0; done
             nft 'table ip filter {
               chain DOCKER-USER { counter return; }
               chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }; }'",
        );
        drop(own.run(&["plan", "one", "--exit-code"]).expect(2));
        // It leads nowhere, and machines have to get somewhere.
        own.here("for net in 0.0.0.0/1 128.0.0.0/1 192.0.0.0/2; do ip route del $net dev vpn0; done");
        drop(own.up());
        own.is_well();
    })?;
    let Some(own) = &own else { return Ok(()) };
    let bridge = own.bridge();
    steps.step("a range that somebody uses is refused by the interface's name", || {
        own.here("ip route add 198.19.0.0/16 dev vpn0");
        let two = format!("{TOML}network = \"198.19.7.0/24\"\n").replace(".one]", ".two]");
        own.sandbox.rewrite(&two);
        let ended = own.run(&["plan", "two"]);
        own.sandbox.rewrite(TOML);
        drop(complains(ended, 1, &["198.19.7.0/24", "vpn0"]));
    });
    steps.step("a firewall that drops what is forwarded is named, with the command that helps", || {
        own.here("nft 'table inet wall { chain forward { type filter hook forward priority 10; policy drop; }; }'");
        let status = own.concerns(":", &["forward"]);
        let concern = &status["concerns"][0];
        let (message, help) = (concern["message"].as_str().unwrap(), concern["help"].as_str().unwrap());
        assert!(message.contains("table inet wall, chain forward (policy drop)"), "{message}");
        let up = own.up();
        assert!(up.stderr.contains("inet wall"), "{up}");
        // What it says helps.
        let commands: Vec<&str> = help.split('`').filter(|part| part.starts_with("nft ")).collect();
        own.here(&commands.join("; "));
        own.is_well();
        own.here("nft delete table inet wall");
    });
    steps.step(
        "somebody loads rules of their own, which takes ours away: named and made again",
        || {
            own.here("nft flush ruleset; echo 0 >/proc/sys/net/ipv4/ip_forward");
            own.concerns(":", &["network"]);
            drop(own.run(&["plan", "one", "--exit-code"]).expect(2));
            drop(own.up());
            own.is_well();
        },
    );
    steps.step(
        "the bridge is removed under its machine: the machine goes on, and is reached again",
        || {
            let began = own.on("stat -c %Y /proc/1");
            own.here(&format!("ip link delete {bridge}"));
            drop(own.up());
            own.is_well();
            assert_eq!(own.on("stat -c %Y /proc/1"), began);
        },
    );
    steps.step("a rule of routing that leads elsewhere is passed by", || {
        let network = own.here(&format!("ip -4 -o address show {bridge}"));
        let network = network.split_whitespace().nth(3).unwrap().replace(".1/24", ".0/24");
        own.here(&format!("ip route add default dev vpn0 table 51820; ip rule add to {network} lookup 51820 priority 200"));
        let status = own.run(&["status", "one", "--json"]).expect(7).json();
        let said = status["concerns"].to_string();
        assert!(said.contains("vpn0") && said.contains("200: from all to"), "{said}");
        drop(own.up());
        own.is_well();
        own.here("ip rule del priority 200");
    });
    steps.step("the host has moved to another network: name servers follow with `up`", || {
        let host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        own.on("echo nameserver 192.0.2.254 >/etc/resolv.conf");
        if host.lines().any(|line| line.starts_with("nameserver") && !line.contains(" 127.")) {
            let status = own.concerns(":", &["resolver"]);
            assert!(status["concerns"].to_string().contains("192.0.2.254"), "{status}");
        }
        drop(own.up());
        own.is_well();
        let behind = "mkdir -p /run/systemd/resolve; mount -t tmpfs none /run/systemd/resolve
                      cp /etc/resolv.conf /run/systemd/resolve/resolv.conf; echo 'options timeout:3' >>/run/systemd/resolve/resolv.conf
                      echo nameserver 127.0.0.53 >/run/systemd/resolve/stub; mount --bind /run/systemd/resolve/stub /etc/resolv.conf";
        drop(own.with(behind, &["up", "one", "-y"]).expect(0));
        let said = own.on("cat /etc/resolv.conf");
        assert!(said.contains("timeout:3") && !said.contains("127."), "{said}");
        drop(own.up());
    });
    steps.step(
        "a host whose disk is full: said before, refused, and the machine comes back",
        || full(own),
    );
    steps.step(
        "`down` leaves forwarding to a bridge that came meanwhile, and takes all that is ours",
        || {
            own.here(
                "ip link add br9 type bridge; nft 'table ip filter { chain DOCKER-USER { }; }'",
            );
            drop(own.up());
            drop(own.run(&["down", "one", "-y"]).expect(0));
            let left = own
                .here("cat /proc/sys/net/ipv4/ip_forward; ip rule; nft list ruleset; ip -o link");
            assert!(
                left.starts_with('1') && !left.contains("andamio") && !left.contains("198.18."),
                "{left}"
            );
        },
    );
    steps.step("where nobody else came, forwarding is off again", || {
        own.here("echo 0 >/proc/sys/net/ipv4/ip_forward");
        drop(own.up());
        assert_eq!(own.here("cat /proc/sys/net/ipv4/ip_forward").trim(), "1");
        drop(own.run(&["down", "one", "-y"]).expect(0));
        assert_eq!(own.here("cat /proc/sys/net/ipv4/ip_forward").trim(), "0");
    });
    Ok(())
}

fn full(own: &Own) {
    let disk = &own.disk;
    own.on("echo kept >/root/kept; sync");
    let free = |left: u64| {
        format!(
            "n=$(($(stat -f -c '%a * %S' {disk} | sed 's/.*/(&)/') - {left})); fallocate -l $n {disk}/other; sync"
        )
    };
    shell(&free(3_000_000_000));
    let status = own.run(&["status", "one", "--json"]).expect(0).json();
    assert_eq!(
        (&status["state"], &status["concerns"][0]["severity"]),
        (&"degraded".into(), &"ticket".into()),
        "{status}"
    );
    shell(&format!("rm {disk}/other"));
    shell(&free(60_000_000));
    let status = own.concerns(":", &["disk"]);
    assert!(status["concerns"][0]["message"].as_str().unwrap().contains("2 GB"), "{status}");
    drop(complains(own.run(&["up", "one", "-y"]), 6, &["free below /var/lib/andamio", "2 GB"]));
    // The machine writes on until the host has no block left, and its journal is aborted.
    drop(own.run(&[
        "exec",
        "one",
        M,
        "--",
        "for i in $(seq 40); do head -c 8M /dev/urandom >/root/grow$i; sync; mkdir /root/d$i; done 2>/dev/null; true",
    ]));
    let status = own.run(&["status", "one", "--json"]).expect(7).json();
    assert!(status["concerns"].to_string().contains("disk-read-only"), "{status}");
    shell(&format!("rm {disk}/other"));
    let plan = own.run(&["plan", "one", "--exit-code"]).expect(2);
    assert!(plan.stdout.contains("read-only"), "{plan}");
    drop(own.run(&["up", "one"]).expect(0));
    assert_eq!(own.on("cat /root/kept"), "kept\n");
    own.is_well();
    own.on("rm -rf /root/grow* /root/d*");
}
