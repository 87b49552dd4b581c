//! Checks between parts of the file.

use super::limits;
use super::process::taken;
use super::reader::{Field, Reader, Table};
use super::{secrets, variables};
use crate::finding::Severity;
use crate::model::{Environment, Group, Place, Spec, Tls};
use crate::price;
use crate::reserved;
use crate::topology::{self, Network, TopologyError, ports};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub(super) fn check(reader: &mut Reader<'_>, root: &Table<'_>, spec: &Spec) {
    app(reader, root, spec);
    processes(reader, root, spec);
    secrets_of(reader, root, spec);
    variables::check(reader, root, spec);
    let environments: Vec<(&Environment, Entry<'_>)> = spec
        .environments
        .iter()
        .filter_map(|env| Some((env, Entry(root.get("environments")?, &env.name))))
        .collect();
    for (index, (env, entry)) in environments.iter().enumerate() {
        let before = environments.get(..index).unwrap_or_default();
        queues(reader, spec, env, entry);
        balancer(reader, env, entry);
        limits::check(reader, spec, env, entry);
        disks(reader, spec, env, entry);
        tls(reader, spec, env, entry);
        hosts(reader, spec, env, entry);
        same_as_another(reader, env, entry, before);
    }
}

/// The text of one environment.
pub(super) struct Entry<'t>(Field<'t>, &'t str);

impl<'t> Entry<'t> {
    /// The field at a path below the environment, for example `limits.machines`.
    pub(super) fn get(&self, path: &[&str]) -> Option<Field<'t>> {
        let mut field = self.0.child(self.1)?;
        for key in path {
            field = field.child(key)?;
        }
        Some(field)
    }
}

/// Whoever runs the application has its source and says what to start.
fn app(reader: &mut Reader<'_>, root: &Table<'_>, spec: &Spec) {
    let Some(env) = spec.environments.iter().find(|env| env.groups.contains_key(&Group::App))
    else {
        return;
    };
    let table = root.get("app").filter(|field| field.value.is_table());
    let table = table.and_then(|field| reader.table(&field, ""));
    let help = format!("`{}` has app machines: add source = \"apps/NAME\"", env.name);
    match &table {
        None if root.has("app") => {}
        None => reader.missing(root, "app", &format!("{help} below [app]")),
        Some(table) if !table.has("source") && !table.has("image") => {
            reader.missing(table, "source", &help);
        }
        Some(table) if !table.has("processes") => {
            let message = "the application has no processes: nothing will be started";
            let help = "add [app.processes] with web = { port = 8080 }, the port of the image";
            reader.report(Severity::Warning, "no-processes", table.at(), message, help);
        }
        Some(table) => {
            if let Some(field) = table.get("image").filter(|_| table.has("source")) {
                let message = "the application has both `source` and `image`";
                let help =
                    "leave one out: an image is built from a source, or comes from a registry";
                reader.error("source-and-image", field.at_key(), message, help);
            }
        }
    }
}

/// Secrets are for processes that there are.
fn secrets_of(reader: &mut Reader<'_>, root: &Table<'_>, spec: &Spec) {
    let names: Vec<&str> = spec.app.processes.keys().map(String::as_str).collect();
    let Some(app) = root.get("app").filter(|field| field.value.is_table()) else { return };
    let Some(table) = reader.table(&app, "") else { return };
    secrets::check(reader, &table, &spec.app.secrets, &names);
}

/// Their units share a machine with units that were there before, and their ports with its SSH.
fn processes(reader: &mut Reader<'_>, root: &Table<'_>, spec: &Spec) {
    let Some(all) = root.get("app").and_then(|field| field.child("processes")) else { return };
    let project = &spec.project.name;
    for (name, process) in &spec.app.processes {
        let Some(field) = all.child(name) else { continue };
        if reserved::is_own_unit(project, name) {
            let message = format!("the machine has a unit `{project}-{name}` of its own");
            let help =
                "the process's unit would be called so: give project or process another name";
            reader.error("reserved-name", field.at_key(), message, help);
        }
        let elsewhere = spec.places.iter().find_map(|(place, kind)| match kind {
            Place::Hosts { port, .. } if process.port == Some(*port) => Some(place),
            _ => None,
        });
        if let (Some(place), Some(field)) = (elsewhere, field.child("port"))
            && process.port.is_some_and(|port| ports::beside_processes(port).is_none())
        {
            let what = format!("SSH of the servers of `{place}`");
            taken(reader, &field, &what, &spec.app.processes);
        }
    }
}

/// It has nothing to lead people to.
fn balancer(reader: &mut Reader<'_>, env: &Environment, entry: &Entry<'_>) {
    if let Some(field) = entry.get(&["balancer"])
        && entry.get(&["app"]).is_none()
    {
        let message = format!("`{}` has a balancer and no application to lead people to", env.name);
        let help = "add app = { machines = 1 }, or take the balancer away";
        reader.error("balancer-without-app", field.at_key(), message, help);
    }
}

fn queues(reader: &mut Reader<'_>, spec: &Spec, env: &Environment, entry: &Entry<'_>) {
    if env.groups.contains_key(&Group::Rabbitmq) || entry.get(&["rabbitmq"]).is_some() {
        return;
    }
    let waiting = spec.app.processes.iter().find(|(_, process)| process.queue.is_some());
    if let Some(field) = entry.get(&["app"])
        && let Some((name, _)) = waiting
    {
        let message =
            format!("the process `{name}` works on a queue, and `{}` has no rabbitmq", env.name);
        let help = format!("add rabbitmq = {{ machines = 1 }} to `{}`", env.name);
        reader.error("queue-without-rabbitmq", field.at_key(), message, help);
    }
}

/// Where the price list is the place's, sizes have to be on it.
fn disks(reader: &mut Reader<'_>, spec: &Spec, env: &Environment, entry: &Entry<'_>) {
    if !matches!(spec.places.get(&env.on), Some(Place::Linode { .. })) {
        return;
    }
    for (group, spec) in &env.groups {
        let Some(field) = entry.get(&[group.as_str()]) else { continue };
        let at = field.child("size").or_else(|| field.child("disk")).unwrap_or(field.clone());
        if let Err(error) = price::type_of(*group, spec, price::MACHINE_TYPES) {
            let message = error.to_string();
            let help = format!("the largest is {}", price::largest());
            reader.error("no-machine-type", at.at(), message, help);
        }
    }
}

/// The balancer is where TLS ends.
fn tls(reader: &mut Reader<'_>, spec: &Spec, env: &Environment, entry: &Entry<'_>) {
    let Some(field) = entry.get(&["tls"]).filter(|_| env.tls != Tls::Off) else { return };
    if matches!(env.tls, Tls::Acme { .. }) && spec.app.domain.is_empty() {
        let message = "a certificate is for a name, and the application has none";
        let help = "add domain = \"example.com\" to [app]";
        reader.error("acme-without-domain", field.at(), message, help);
    }
    if entry.get(&["balancer"]).is_none() {
        let message =
            "without a balancer nothing ends TLS: the application is reached by plain HTTP";
        let help = "add balancer = { machines = 1 }, or write tls = \"off\"";
        reader.report(Severity::Warning, "tls-without-balancer", field.at(), message, help);
    }
}

/// An environment on servers that exist already needs one of them for each of its machines.
fn hosts(reader: &mut Reader<'_>, spec: &Spec, env: &Environment, entry: &Entry<'_>) {
    let Some(Place::Hosts { machines, .. }) = spec.places.get(&env.on) else { return };
    let mut enough = true;
    for (group, declared) in &env.groups {
        let there = machines.iter().filter(|host| host.groups.contains(group)).count();
        let there = u32::try_from(there).unwrap_or(u32::MAX);
        if there < declared.machines
            && let Some(field) = entry.get(&[group.as_str()])
        {
            enough = false;
            let message = format!(
                "`{}` has {there} of the {} servers that {group} of `{}` needs",
                env.on, declared.machines, env.name
            );
            let help = format!("add {{ address = \"…\", groups = [\"{group}\"] }} to the place");
            reader.error("not-enough-hosts", field.at_key(), message, help);
        }
    }
    // Only the floating address would come from the network, and it is not looked at here.
    let network = Network { base: Ipv4Addr::UNSPECIFIED };
    // Any addresses do for names here, as long as they differ.
    let names = machines.iter().filter(|host| host.address.parse::<Ipv4Addr>().is_err());
    let numbered = names.map(|host| host.address.clone()).zip(0xf000_0000_u32..);
    let stand_ins: BTreeMap<String, Ipv4Addr> =
        numbered.map(|(name, number)| (name, number.into())).collect();
    let spec = &spec.with_addresses(&env.on, &stand_ins);
    if enough
        && let Some(field) = entry.get(&[])
        && let Err(error) = topology::compute(spec, &env.name, &env.on, network)
        && let TopologyError::SharedHost { address, first, second } = error
    {
        let name = stand_ins.iter().find(|(_, it)| it.to_string() == address);
        let address = name.map_or(address, |(name, _)| name.clone());
        let error = TopologyError::SharedHost { address, first, second };
        reader.error("shared-host", field.at_key(), error.to_string(), error.help());
    }
}

fn same_as_another(
    reader: &mut Reader<'_>,
    env: &Environment,
    entry: &Entry<'_>,
    before: &[(&Environment, Entry<'_>)],
) {
    if let Some(field) = entry.get(&["branch"])
        && let Some((other, _)) =
            before.iter().find(|(other, _)| env.branch.is_some() && other.branch == env.branch)
    {
        let message = format!("`{}` is deployed from this branch already", other.name);
        let help = "a push would start two pipelines; give each environment its own branch";
        reader.report(Severity::Warning, "duplicate-branch", field.at(), message, help);
    }
    if let Some(field) = entry.get(&["network"])
        && let Some((other, _)) =
            before.iter().find(|(other, _)| env.network.is_some() && other.network == env.network)
    {
        let message = format!("`{}` has this network already", other.name);
        let help = "their machines would have the same addresses: choose another /24";
        reader.error("duplicate-network", field.at(), message, help);
    }
}
