//! What holds and why: every value of the file and every default.

use crate::defaults;
use crate::model::{
    Container, Environment, Group, GroupSpec, Layout, Load, Migrate, Place, Ready, Spec, Tls,
};
use crate::units::{format_bandwidth, format_bytes, format_duration};
use serde::Serialize;
use toml::de::{DeTable, DeValue};

/// One key with the value that holds for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Dotted path.
    pub key: String,
    pub value: String,
    pub origin: Origin,
    /// Why the default is this; empty for what the file says.
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    File,
    Default,
}

/// Lists all keys of the spec that was parsed from `text`, in the order of its sections. A
/// text that is not TOML makes everything a default.
#[must_use]
pub fn explain(spec: &Spec, text: &str) -> Vec<Explained> {
    let document = DeTable::parse(text).ok().map(toml::Spanned::into_inner);
    let mut list = List { document, explained: Vec::new() };
    project_and_app(&mut list, spec);
    for env in &spec.environments {
        environment(&mut list, env);
    }
    for (name, place) in &spec.places {
        self::place(&mut list, name, place);
    }
    let backup = &spec.backup;
    list.add("backup.full", &backup.full, "a day lost at most where nothing else survives");
    list.add("backup.incremental", &backup.incremental, "short chains: two links at most");
    list.add("backup.keep", format_duration(backup.keep_s), "a month to notice what went wrong");
    list.explained
}

struct List<'t> {
    document: Option<DeTable<'t>>,
    explained: Vec<Explained>,
}

impl List<'_> {
    fn add(&mut self, key: &str, value: impl Into<String>, reason: &str) {
        let origin = if self.is_written(key) { Origin::File } else { Origin::Default };
        let reason = if origin == Origin::File { "" } else { reason };
        self.explained.push(Explained {
            key: key.to_owned(),
            value: value.into(),
            origin,
            reason: reason.to_owned(),
        });
    }

    /// Names are DNS labels, so a dot always separates two keys.
    fn is_written(&self, key: &str) -> bool {
        let mut parts = key.split('.');
        let mut value = parts.next().and_then(|part| self.document.as_ref()?.get(part));
        for part in parts {
            value = value.and_then(|value| DeValue::as_table(value.get_ref())?.get(part));
        }
        value.is_some()
    }
}

fn project_and_app(list: &mut List<'_>, spec: &Spec) {
    let (project, app) = (&spec.project, &spec.app);
    list.add("project.name", &project.name, "");
    list.add("project.currency", project.currency.as_str(), "the document counts in euros");
    list.add("project.team", words(&project.team), "only the identity that `init` made");
    let state = project.state.as_deref().unwrap_or(".andamio");
    list.add("project.state", state, "beside this file, for one person; a team shares a bucket");
    list.add("app.source", or_none(&app.source), "no environment runs the application");
    if let Some(image) = &app.image {
        list.add("app.image", image, "");
    }
    list.add("app.domain", or_none(&app.domain), "reached by address");
    list.add("app.ready", ready(&app.ready), "the path that most frameworks use");
    let start = format!("{}s", app.start_s);
    list.add("app.start", start, "what a framework needs that fills its caches first");
    list.add("app.prepare", words(&app.prepare), "the Containerfile builds everything");
    list.add("app.test", words(&app.test), "the pipeline begins with the image");
    let migrate = match &app.migrate {
        Migrate::None => words(&[]),
        Migrate::Verb(all) => format!("{} up", words(all)),
        Migrate::Commands { up, .. } => words(up),
    };
    list.add("app.migrate", migrate, "no migrations run");
    let variables: Vec<String> = app.env.keys().cloned().collect();
    list.add("app.env", words(&variables), "only addresses of services");
    let secrets: Vec<String> = app.all_secrets().iter().map(|s| s.name.clone()).collect();
    list.add("app.secrets", words(&secrets), "the application gets no secrets");
    list.add("app.files", words(&app.files), "containers keep no files");
    let load = match &app.load {
        Some(Load::Requests(requests)) => {
            let each = requests.iter().map(|one| format!("{} {}", one.method, one.path));
            each.collect::<Vec<_>>().join(", ")
        }
        Some(Load::Program(command)) => words(command),
        None => "found out".to_owned(),
    };
    let reason = "`seed` and `load` of the public process's program, else GET of ready";
    list.add("app.load", load, reason);
    for (name, process) in &app.processes {
        let key = format!("app.processes.{name}");
        let command = match process.command.as_slice() {
            [] => "the image's".to_owned(),
            command => words(command),
        };
        list.add(&format!("{key}.command"), command, "what the image starts");
        let port = process.port.map_or_else(|| "none".to_owned(), |port| port.to_string());
        list.add(&format!("{key}.port"), port, "does not listen");
        let queue = process.queue.clone().unwrap_or_else(|| "none".to_owned());
        list.add(&format!("{key}.queue"), queue, "works on no queue");
        container(list, &key, &process.container);
    }
}

/// What would harden a process further, as reasons of what holds instead.
fn container(list: &mut List<'_>, key: &str, container: &Container) {
    let mut add =
        |name: &str, value: String, reason| list.add(&format!("{key}.{name}"), value, reason);
    let user = container.user.clone().unwrap_or_else(|| "the image's".to_owned());
    add("user", user, "what the image says; a number that is not 0 keeps it from being root");
    let reason =
        "images write where they like; false where this one writes to kept files and `tmpfs` only";
    add("writable", container.writable.to_string(), reason);
    let capabilities = match &container.capabilities {
        None => "podman's own".to_owned(),
        Some(all) => words(all),
    };
    let reason = "what programs expect that begin as root; [] where this one does not";
    add("capabilities", capabilities, reason);
}

fn ready(ready: &Ready) -> String {
    match ready {
        Ready::Path { path, .. } => path.clone(),
        Ready::Tcp => "the port takes a connection".to_owned(),
        Ready::Command(command) => words(command),
        Ready::None => "none".to_owned(),
    }
}

fn environment(list: &mut List<'_>, env: &Environment) {
    let key = |name: &str| format!("environments.{}.{name}", env.name);
    list.add(&key("on"), &env.on, "this Linux machine; no account, no cost");
    let branch = env.branch.clone().unwrap_or_else(|| "none".to_owned());
    list.add(&key("branch"), branch, "no push deploys here");
    for (group, spec) in &env.groups {
        self::group(list, &key(group.as_str()), *group, spec);
    }
    let tls = match &env.tls {
        Tls::Off => "off".to_owned(),
        Tls::Test => "test".to_owned(),
        Tls::Acme { directory, contact, .. } => format!("{directory}, {contact}"),
    };
    list.add(&key("tls"), tls, "plain HTTP until the file asks for more");
    list.add(&key("window"), env.window.to_string(), "nobody asked to be left alone");
    list.add(&key("approve"), words(&env.approve), "nothing waits for a second person");
    let limits = &env.limits;
    let none = || "none".to_owned();
    let machines = limits.machines.map_or_else(none, |limit| limit.to_string());
    list.add(&key("limits.machines"), machines, "as many as the groups declare");
    let size = limits.size.map_or_else(none, |limit| limit.to_string());
    list.add(&key("limits.size"), size, "as large as the groups declare");
    let storage = limits.storage_bytes.map_or_else(none, format_bytes);
    list.add(&key("limits.storage"), storage, "as much as the disks declare");
    let bandwidth = limits.bandwidth_bits_per_s.map_or_else(none, format_bandwidth);
    list.add(&key("limits.bandwidth"), bandwidth, "answers are not slowed down");
    let transfer =
        limits.transfer_bytes.map_or_else(none, |limit| format!("{}/month", format_bytes(limit)));
    list.add(&key("limits.transfer"), transfer, "traffic is not counted against anything");
    let budget = env.budget.map_or_else(none, |budget| budget.to_string());
    list.add(&key("budget"), budget, "no plan is refused for its cost");
    let network =
        env.network.map_or_else(|| "a free one".to_owned(), |network| network.to_string());
    list.add(&key("network"), network, "the place picks a /24 of 198.18.0.0/15 that is free");
}

fn group(list: &mut List<'_>, key: &str, group: Group, spec: &GroupSpec) {
    list.add(&format!("{key}.machines"), spec.machines.to_string(), "one is the least");
    list.add(&format!("{key}.max"), spec.max.to_string(), "does not grow by itself");
    list.add(&format!("{key}.size"), spec.size.to_string(), defaults::size_reason(group));
    let disk = format_bytes(spec.disk_bytes);
    list.add(&format!("{key}.disk"), disk, "what the service needs, within the smallest disk");
    list.add(&format!("{key}.layout"), spec.layout.as_str(), layout_reason(group, spec.layout));
}

fn layout_reason(group: Group, layout: Layout) -> &'static str {
    match (group, layout) {
        (Group::App | Group::Ops, _) => "its machines do not know of each other",
        (_, Layout::Single) => "there is one machine",
        (_, Layout::Replica) => "two machines: a primary and its replica",
        (_, Layout::Galera) => "three or more machines: each can take over",
        (_, Layout::Cluster) => "two or more machines",
        (_, Layout::Floating) => "two machines: one address moves between them",
    }
}

fn place(list: &mut List<'_>, name: &str, place: &Place) {
    let key = |field: &str| format!("places.{name}.{field}");
    match place {
        Place::Local => {}
        Place::Hosts { machines, user, port } => {
            let addresses: Vec<String> = machines.iter().map(|host| host.address.clone()).collect();
            list.add(&key("machines"), words(&addresses), "");
            list.add(&key("user"), user, "others than root need sudo without a password");
            list.add(&key("port"), port.to_string(), "the port of SSH");
        }
        Place::Linode { region, state } => {
            list.add(&key("region"), region, "Madrid has every product that is used");
            let state = state.clone().unwrap_or_else(|| "none".to_owned());
            list.add(&key("state"), state, "the folder `.andamio` beside the file");
        }
    }
}

fn words(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
