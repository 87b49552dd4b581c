//! A project on bare servers.

use crate::purge::Broken;
use andamio_remote::KeyPair;
use andamio_testkit::sandbox::DEADLINE;
use andamio_testkit::{Ended, Sandbox, Server, Servers, command, run};
use serde_json::Value;
use std::fs;

/// Nobody else has this domain (RFC 2606).
const DOMAIN: &str = "rack.example";

/// What runs on the servers. Its program is `/program` in an image without anything else.
pub(crate) struct App {
    program: &'static str,
    /// Lines of `[app]`, and its processes.
    toml: &'static str,
    /// A path that it answers with 200.
    ready: &'static str,
    /// A one-off, and what it prints.
    run: (&'static [&'static str], &'static str),
}

/// The smallest there is: it uses none of the services.
pub(crate) const SMALL: App = App {
    program: "linode-emulator",
    toml: "[app.processes]\n\
           web = { command = [\"/program\", \"--listen\", \"0.0.0.0:8080\", \"--state\", \"/tmp\"], port = 8080 }\n",
    ready: "/v4/regions",
    run: (&["/program", "--version"], "linode-emulator"),
};

/// One that uses all of them, and that drills can load.
pub(crate) const FICHARFIRM: App = App {
    program: "ficharfirm",
    toml: "migrate = [\"/program\", \"migrate\"]\nsecrets = [\"SESSION_KEY\"]\n\
           [app.processes]\nweb = { command = [\"/program\", \"web\"], port = 8080 }\n\
           worker = { command = [\"/program\", \"worker\"], queue = \"sign\" }\n",
    ready: "/readyz",
    run: (&["/program", "migrate", "status"], ""),
};

pub(crate) struct Rack {
    pub(crate) sandbox: Sandbox,
    app: App,
    servers: Servers,
    /// Of each server.
    groups: Vec<&'static str>,
    toml: String,
}

impl Rack {
    /// Bare servers for that many machines of each group; what is said of a group goes into its table.
    pub(crate) fn start(app: App, groups: &[(&'static str, usize, &str)]) -> Self {
        let each = groups.iter().flat_map(|(group, count, _)| std::iter::repeat_n(*group, *count));
        let all: Vec<&'static str> = each.collect();
        let servers = Servers::start(u32::try_from(all.len()).unwrap());
        let tables: String = groups
            .iter()
            .map(|(group, count, more)| {
                format!("{group} = {{ machines = {count}, size = \"1x1\"{more} }}\n")
            })
            .collect();
        let toml = format!(
            "[project]\nname = \"rack\"\n[app]\nsource = \"app\"\ndomain = \"{DOMAIN}\"\nready = \"{}\"\n{}\
             [environments.shop]\non = \"rack\"\ntls = \"test\"\n{tables}",
            app.ready, app.toml
        );
        let sandbox = Sandbox::new("");
        let source = sandbox.folder.join("app");
        fs::create_dir(&source).unwrap();
        fs::copy(run::built(app.program), source.join("program")).unwrap();
        fs::write(source.join("Containerfile"), "FROM scratch\nCOPY program /program\n").unwrap();
        Self { sandbox, app, servers, groups: all, toml }
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
                "curl -sS --max-time 10 --resolve {DOMAIN}:443:{0} -o /dev/null -w '%{{http_code}}' -k https://{DOMAIN}{1}",
                server.address, self.app.ready
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
        let (command, says) = self.app.run;
        let words = [&["run", "shop", "--"], command].concat();
        let ended = self.without_key(&words).expect(0);
        assert!(ended.stdout.contains(says), "{ended}");
        let lines = self.without_key(&["logs", "shop", "-n", "5", "--all"]).expect(0).stdout;
        assert_eq!(lines.lines().count(), 5, "{lines}");
    }

    /// The `drill` object of one drill, whatever it came to.
    pub(crate) fn drill(&self, target: &str, fault: &str) -> Value {
        let words = ["drill", "shop", target, fault, "--rate", "50", "-y", "--json"];
        let ended = self.without_key(&words);
        let found = ended.lines().into_iter().find(|line| line["type"] == "drill");
        found.unwrap_or_else(|| panic!("{ended}"))
    }

    /// How many of everything ficharfirm has, all of it unbroken.
    pub(crate) fn records(&self) -> Value {
        let ended = self.without_key(&["run", "shop", "--", "/program", "verify", "--json"]);
        serde_json::from_str(&ended.expect(0).stdout).unwrap()
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
