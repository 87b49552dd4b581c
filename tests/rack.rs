//! A project on bare servers, with the smallest application there is.

use crate::purge::Broken;
use andamio_remote::KeyPair;
use andamio_testkit::sandbox::DEADLINE;
use andamio_testkit::{Ended, Sandbox, Server, Servers, command, run};
use std::fs;

/// Nobody else has this domain (RFC 2606).
const DOMAIN: &str = "rack.example";
const PROJECT: &str = "[project]\nname = \"rack\"\n\
    [app]\nsource = \"app\"\nready = \"/v4/regions\"\ndomain = \"rack.example\"\n\
    [app.processes]\n\
    web = { command = [\"/program\", \"--listen\", \"0.0.0.0:8080\", \"--state\", \"/tmp\"], port = 8080 }\n";

pub(crate) struct Rack {
    pub(crate) sandbox: Sandbox,
    servers: Servers,
    /// Of each server.
    groups: Vec<&'static str>,
    toml: String,
}

impl Rack {
    /// Bare servers for that many machines of each group; what is said of a group goes into its table.
    pub(crate) fn start(groups: &[(&'static str, usize, &str)]) -> Self {
        let each = groups.iter().flat_map(|(group, count, _)| std::iter::repeat_n(*group, *count));
        let all: Vec<&'static str> = each.collect();
        let servers = Servers::start(u32::try_from(all.len()).unwrap());
        let tables: String = groups
            .iter()
            .map(|(group, count, more)| {
                format!("{group} = {{ machines = {count}, size = \"1x1\"{more} }}\n")
            })
            .collect();
        let toml = format!("{PROJECT}[environments.shop]\non = \"rack\"\ntls = \"test\"\n{tables}");
        let sandbox = Sandbox::new("");
        let app = sandbox.folder.join("app");
        fs::create_dir(&app).unwrap();
        fs::copy(run::built("linode-emulator"), app.join("program")).unwrap();
        fs::write(app.join("Containerfile"), "FROM scratch\nCOPY program /program\n").unwrap();
        Self { sandbox, servers, groups: all, toml }
    }

    /// Writes the place; a server of a group that is not `known` has no key in it, or somebody else's.
    pub(crate) fn declare(&self, user: &str, known: impl Fn(&str) -> bool) {
        let entry = |(server, group): (&Server, &&'static str)| {
            let key = match (known(group), user) {
                (true, _) => format!(", host_key = \"{}\"", server.host_key),
                (false, "root") => String::new(),
                (false, _) => format!(", host_key = \"{}\"", KeyPair::generate().unwrap().public),
            };
            format!("  {{ address = \"{}\", groups = [\"{group}\"]{key} }},\n", server.address)
        };
        let entries: String = self.servers.list.iter().zip(&self.groups).map(entry).collect();
        let place = format!(
            "[places.rack]\nkind = \"hosts\"\nuser = \"{user}\"\nmachines = [\n{entries}]\n"
        );
        self.sandbox.rewrite(&format!("{}{place}", self.toml));
    }

    pub(crate) fn with_key(&self, words: &[&str]) -> Ended {
        self.run(words, &self.servers.key.display().to_string())
    }

    pub(crate) fn without_key(&self, words: &[&str]) -> Ended {
        self.run(words, "")
    }

    /// Nothing of this host's own user gets in: neither a key nor known hosts.
    fn run(&self, words: &[&str], key: &str) -> Ended {
        let mut command = self.sandbox.command(words);
        command.env("ANDAMIO_SSH_KEY", key).env("HOME", &self.sandbox.folder);
        command::run(command, DEADLINE)
    }

    /// A line on a machine, through `exec`.
    pub(crate) fn on(&self, machine: &str, line: &str) -> String {
        self.without_key(&["exec", "shop", machine, "--", line]).expect(0).stdout
    }

    pub(crate) fn is_empty(&self) {
        let plan = self.without_key(&["plan", "shop", "--json"]).expect(0).json();
        assert_eq!(plan["empty"], true, "{plan}");
    }

    /// Healthy, with a release, which every balancer serves over TLS.
    pub(crate) fn serves(&self, machines: usize) {
        let status = self.without_key(&["status", "shop", "--json"]).expect(0).json();
        assert_eq!(status["healthy"], true, "{status}");
        assert!(status["release"].is_string(), "{status}");
        assert_eq!(status["machines"].as_array().unwrap().len(), machines, "{status}");
        for (server, _) in self.of("balancer") {
            let line = format!(
                "curl -sS --max-time 10 --resolve {DOMAIN}:443:{0} -o /dev/null -w '%{{http_code}}' -k https://{DOMAIN}/v4/regions",
                server.address
            );
            let mut curl = std::process::Command::new("sh");
            curl.args(["-c", &line]);
            assert_eq!(command::run(curl, DEADLINE).expect(0).stdout, "200");
        }
    }

    /// What people type all day.
    pub(crate) fn is_usable(&self) {
        let one = self.without_key(&["db", "shop", "--", "SELECT 40 + 2"]).expect(0).stdout;
        assert!(one.contains("42"), "{one}");
        assert!(self.on("app-1", "hostname").starts_with("server-"));
        let words = ["run", "shop", "--", "/program", "--version"];
        assert!(self.without_key(&words).expect(0).stdout.contains("linode-emulator"));
        let lines = self.without_key(&["logs", "shop", "-n", "5", "--all"]).expect(0).stdout;
        assert_eq!(lines.lines().count(), 5, "{lines}");
    }

    fn of(&self, wanted: &'static str) -> impl Iterator<Item = (&Server, &&'static str)> {
        self.servers.list.iter().zip(&self.groups).filter(move |(_, group)| **group == wanted)
    }
}

impl Broken for Rack {
    fn run(&self, words: &[&str]) -> Ended {
        self.without_key(words)
    }

    fn env(&self) -> &str {
        "shop"
    }
}
