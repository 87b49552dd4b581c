//! Servers that exist already: two that nothing of Andamio has been on, whose host keys nobody knows.
//! Asked, converged, broken by hand, repaired; what cannot be done there is refused in plain words.
//! Proves the place `hosts` (the same convergence, no provisioning).

use andamio_provision::local::{Image, Local, Roots, Seed, allocate};
use andamio_remote::KeyPair;
use andamio_spec::topology::compute;
use andamio_testkit::sandbox::DEADLINE;
use andamio_testkit::{
    Abandoned, Ended, Need, Sandbox, Scenario, Steps, command, run, wait::until,
};
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "hosts", need: Need::Machines, run: all };

/// `servers` is never brought up: it lends its network, and `down` removes what was started below
/// its id.
const TOML: &str = "[project]\nname = \"rack\"\n\
    [environments.servers]\nredis = { machines = 1, size = \"1x1\" }\nmariadb = { machines = 1, size = \"1x1\" }\n\
    [environments.shop]\non = \"rack\"\nredis = { machines = 1, size = \"1x1\" }\nmariadb = { machines = 1, size = \"1x1\" }\n";

/// So that the file is valid before the servers are known; nothing answers there (RFC 5737).
const NOWHERE: &str = "[places.rack]\nkind = \"hosts\"\nmachines = [\n  \
    { address = \"192.0.2.1\", groups = [\"redis\"] },\n  { address = \"192.0.2.2\", groups = [\"mariadb\"] },\n]\n";

struct Rack {
    sandbox: Sandbox,
    servers: Vec<Server>,
}

struct Server {
    group: &'static str,
    address: Ipv4Addr,
    host_key: String,
}

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::new(&format!("{TOML}{NOWHERE}"));
    let servers = steps.must("two servers are there", || start(&sandbox))?;
    let rack = Rack { sandbox, servers };
    steps.step("an unknown host key is shown and not accepted, also with -y: 6", || unknown(&rack));
    rack.declare("root", |_| true);
    steps.must("plan creates nothing and changes much, and has changed nothing itself", || {
        let plan = rack.with_key(&["plan", "shop", "--json"]).expect(0).json();
        let machines = plan["machines"].as_array().unwrap();
        assert!(machines.len() == 2 && machines.iter().all(|m| m["action"] == "none"), "{plan}");
        assert!(plan["changes"].as_array().unwrap().len() > 40, "{plan}");
        assert!(plan["cost"].is_null(), "nobody pays for them again: {plan}");
    })?;
    steps.must("up", || drop(rack.with_key(&["up", "shop"]).expect(0)))?;
    steps.must("then the plan is empty, with the instance's own key alone", || rack.is_empty())?;
    steps.step("status is healthy", || {
        assert_eq!(rack.without_key(&["status", "shop", "--json"]).json()["healthy"], true);
    });
    steps.step("who could log in before still can", || {
        let keys = rack.on("redis-1", "cat /root/.ssh/authorized_keys");
        assert_eq!(keys.lines().count(), 2, "{keys}");
        assert!(rack.on("redis-1", "sshd -T").lines().all(|l| !l.contains("allowusers")));
        assert!(rack.on("redis-1", "hostname").contains("server-"));
    });
    steps.step("what is broken by hand is named, and repaired exactly", || drift(&rack));
    steps.step("the operator's key, removed by hand, comes back with the person's", || {
        let file = "/root/.ssh/authorized_keys";
        rack.on("redis-1", &format!("sed -i /andamio/d {file}"));
        let plan = rack.without_key(&["plan", "shop", "--json"]).expect(0).json();
        assert!(plan.to_string().contains("unreachable"), "{plan}");
        let _ = rack.with_key(&["up", "shop"]).expect(0);
        rack.is_empty();
    });
    steps.step("down removes nothing, says what stays: 3", || {
        let ended = rack.without_key(&["down", "shop", "-y"]).expect(3);
        assert!(ended.stderr.contains("stay as they are"), "{ended}");
        rack.is_empty();
    });
    steps.step("a user without sudo, and another key than the known one: 6, all at once", || {
        for server in ["redis-1", "mariadb-1"] {
            rack.on(
                server,
                "useradd -m deb && cp -r /root/.ssh /home/deb/ && chown -R deb: /home/deb",
            );
        }
        rack.declare("deb", |server| server.group == "redis");
        let ended = rack.with_key(&["up", "shop"]).expect(6);
        assert!(ended.stderr.contains("deb cannot become root"), "{ended}");
        assert!(ended.stderr.contains("another host key than the known one"), "{ended}");
    });
    Ok(())
}

/// Machines as something else would have made them: started, reachable, with a name of their own.
fn start(sandbox: &Sandbox) -> Vec<Server> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // So that `down servers` is owed, also after a failure.
    let _ = sandbox.command(&["down", "servers"]);
    let roots = Roots::default();
    let id = sandbox.id("servers");
    let network = allocate(&roots.data, &id, None, true).unwrap();
    let image = Image::of(&roots);
    let local = Local { roots, id, network, image };
    let person = KeyPair::generate().unwrap();
    fs::write(sandbox.folder.join("id"), &person.private).unwrap();
    let launcher = [&run::built("andamio").display().to_string(), "machine", "launch"];
    let spec = andamio_spec::parse("andamio.toml", &format!("{TOML}{NOWHERE}")).spec.unwrap();
    let machines = compute(&spec, "servers", "local", network).unwrap().machines;
    runtime.block_on(async {
        local.image.build(|_| {}).await.unwrap();
        local.network_up().await.unwrap();
        let mut servers = Vec::new();
        for (number, mut machine) in (1..).zip(machines) {
            machine.index = number;
            machine.name = format!("server-{number}");
            let host = KeyPair::generate().unwrap();
            let seed = Seed {
                host_key: (&host.private, &host.public),
                operator: &format!("{}\n", person.public),
                resolver: &fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
            };
            local.create(&machine, &seed).await.unwrap();
            local.start(&machine, &launcher.map(str::to_owned)).await.unwrap();
            let (group, address) = (machine.group.as_str(), machine.address);
            servers.push(Server { group, address, host_key: host.public });
        }
        for server in &servers {
            answers(server);
        }
        servers
    })
}

fn answers(server: &Server) {
    until("SSH of a server", Duration::from_secs(60), || {
        let at = (server.address, 22).into();
        let opened = TcpStream::connect_timeout(&at, Duration::from_secs(1));
        opened.map(drop).map_err(|e| e.to_string())
    });
}

fn unknown(rack: &Rack) {
    rack.declare("root", |_| false);
    for verb in ["plan", "up"] {
        let ended = rack.with_key(&["-y", verb, "shop"]).expect(6);
        assert!(ended.stderr.contains("nobody vouches for the host key of"), "{ended}");
        assert!(
            ended.stderr.contains("SHA256:") && ended.stderr.contains("host_key = "),
            "{ended}"
        );
    }
    let last = rack.with_key(&["-y", "up", "shop", "--json"]).expect(6).lines().pop().unwrap();
    assert_eq!(last["type"], "result", "{last}");
}

fn drift(rack: &Rack) {
    rack.on("redis-1", "echo hacked >> /etc/motd; echo mine > /etc/mine");
    rack.on("mariadb-1", "systemctl stop mariadb.service");
    let plan = rack.without_key(&["plan", "shop", "--json"]).expect(0).json();
    let named = |machine: &str, resource: &str| {
        let changes = plan["changes"].as_array().unwrap();
        let is = |c: &&serde_json::Value| c["machine"] == machine && c["resource"] == resource;
        assert!(changes.iter().any(|c| is(&c) && c["reason"] == "drift"), "{resource}: {plan}");
    };
    named("redis-1", "file:/etc/motd");
    named("mariadb-1", "unit:mariadb.service");
    let last = rack.without_key(&["up", "shop", "--json"]).expect(0).lines().pop().unwrap();
    assert_eq!(last["changed"], 2, "{last}");
    rack.is_empty();
    assert!(rack.on("redis-1", "cat /etc/mine").contains("mine"));
}

impl Rack {
    /// Writes the place; a server that is not `known` has no key in it, or somebody else's.
    fn declare(&self, user: &str, known: impl Fn(&Server) -> bool) {
        let entry = |server: &Server| {
            let key = match (known(server), user) {
                (true, _) => format!(", host_key = \"{}\"", server.host_key),
                (false, "root") => String::new(),
                (false, _) => format!(", host_key = \"{}\"", KeyPair::generate().unwrap().public),
            };
            format!(
                "  {{ address = \"{}\", groups = [\"{}\"]{key} }},\n",
                server.address, server.group
            )
        };
        let entries: String = self.servers.iter().map(entry).collect();
        let place = format!(
            "[places.rack]\nkind = \"hosts\"\nuser = \"{user}\"\nmachines = [\n{entries}]\n"
        );
        self.sandbox.rewrite(&format!("{TOML}{place}"));
    }

    fn with_key(&self, words: &[&str]) -> Ended {
        self.run(words, &self.sandbox.folder.join("id").display().to_string())
    }

    fn without_key(&self, words: &[&str]) -> Ended {
        self.run(words, "")
    }

    /// Nothing of this host's own user gets in: neither a key nor known hosts.
    fn run(&self, words: &[&str], key: &str) -> Ended {
        let mut command = self.sandbox.command(words);
        command.env("ANDAMIO_SSH_KEY", key).env("HOME", &self.sandbox.folder);
        command::run(command, DEADLINE)
    }

    fn on(&self, machine: &str, line: &str) -> String {
        self.without_key(&["exec", "shop", machine, "--", line]).expect(0).stdout
    }

    fn is_empty(&self) {
        let plan = self.without_key(&["plan", "shop", "--json"]).expect(0).json();
        assert_eq!(plan["empty"], true, "{plan}");
    }
}
