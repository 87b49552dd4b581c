//! The application: its image, its environment, and one unit per process, run by podman.
//!
//! Containers share the machine's network. What else they may do and have is the image's to say, and the file's:
//! `container.rs`.

mod container;
mod environment;
mod one_off;
mod process;
mod proxy;
mod table;

pub use environment::app_environment;
pub use one_off::{one_off, outsider};
pub(super) use table::TABLE;

use self::container::Whose;
use crate::context::RoleContext;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::machine::{Resources, directory, file, sensitive, unit};
use crate::phase::{Phase, disrupts};
use crate::roles::base::RESOLVER;
use crate::roles::readiness::{self, Asked};
use crate::roles::{Service, haproxy};
use crate::tls;
use andamio_manifest::{
    Directory, Image, KeptFolder, Kind, Probe, Resource, Secrets, Sysctl, Unit,
};
use andamio_spec::model::Process;
use andamio_spec::topology::{Role, ports, public_process};
use andamio_spec::{Group, Spec};
use std::collections::BTreeMap;

/// A file for each process, of which systemd makes its unit.
pub const QUADLETS: &str = "/etc/containers/systemd";

/// Name of the part of the role that needs no release: what the image is built with and runs on.
pub const CONTAINERS: &str = "containers";

/// What runs images, and last what makes one. Named one by one, because nothing that is only recommended is installed.
pub(super) const CONTAINER_PACKAGES: &[&str] = &["podman", "crun", "netavark", "buildah"];
/// Nobody asks for them.
pub(super) const CONTAINER_UNITS: &[&str] = &["podman.socket", "podman-auto-update.timer"];

/// What runs the application's image, and where it is built also what makes it.
pub(super) fn podman(cx: &RoleContext<'_>) -> Vec<Resource> {
    let mut out = Resources::of(CONTAINERS);
    let builds = cx.inputs.topology.builder().is_some_and(|m| m.name == cx.machine.name);
    out.packages(if builds { CONTAINER_PACKAGES } else { &CONTAINER_PACKAGES[..3] });
    out.off(CONTAINER_UNITS);
    out.file(file(
        "/etc/containers/containers.conf.d/10-andamio.conf",
        include_str!("containers.conf"),
    ));
    // podman writes what containers are given, secrets among it, into a database that all may read.
    out.add(directory("/var/lib/containers", 0o700, ("root", "root")));
    out.into_list()
}

fn resources(cx: &RoleContext<'_>) -> Result<Vec<Resource>, Error> {
    let spec = cx.inputs.spec;
    let mut out = Resources::of("app");
    proxy::add(cx, &mut out)?;
    out.add(Kind::Directory(Directory {
        path: container::FOLDER.to_owned(),
        mode: 0o700,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        exclusive: true,
    }));
    let (mut variables, mut all_stored) = (BTreeMap::new(), BTreeMap::new());
    for whose in everybody(cx.inputs) {
        let mut ids = whose.add_files(&mut out)?;
        let stored = whose.stored()?;
        if !stored.is_empty() {
            // Of its own, so that only who reads a value is started anew with it.
            let prefix = whose.stored_prefix();
            let value = |(id, (_, value)): (&String, &(String, String))| {
                Some((id.strip_prefix(&prefix)?.to_owned(), sensitive(value)))
            };
            let values = stored.iter().filter_map(value).collect();
            ids.push(out.add(Kind::Secrets(Secrets { prefix, values })));
        }
        all_stored.extend(stored);
        variables.insert(whose.process, ids);
    }
    // Those of processes that there are no more.
    let value = |(id, (_, value)): (String, (String, String))| {
        Some((id.strip_prefix(environment::STORED)?.to_owned(), sensitive(&value)))
    };
    let values = all_stored.into_iter().filter_map(value).collect();
    out.add(Kind::Secrets(Secrets { prefix: environment::STORED.to_owned(), values }));
    // Ports below 1024 are for root, which no process is. What is declared is free, and no more.
    let lowest = spec.app.processes.values().filter_map(|process| process.port).min();
    let first = lowest.unwrap_or(ports::FIRST_FREE).min(ports::FIRST_FREE);
    out.add(Kind::Sysctl(Sysctl {
        key: "net.ipv4.ip_unprivileged_port_start".to_owned(),
        value: first.to_string(),
    }));
    let files = spec.app.all_files();
    if !files.is_empty() {
        // Containers get the folders below as mounts: nobody else has to reach them.
        out.add(directory("/var/lib/andamio", 0o700, ("root", "root")));
        out.add(directory(container::FILES, 0o700, ("root", "root")));
    }
    let Some(release) = cx.inputs.release else { return Ok(out.into_list()) };
    out.add(Kind::Image(Image { name: release.image.clone(), archive: release.archive.clone() }));
    for path in files {
        let of_process = |process: &&Process| process.files.contains(path);
        let owner = spec.app.processes.values().find(of_process);
        let owner = owner.or_else(|| spec.app.processes.get(default_process(spec)?));
        out.add(Kind::KeptFolder(KeptFolder {
            path: container::host_path(path),
            image: release.image.clone(),
            inside: path.clone(),
            user: owner.and_then(|process| process.container.user.clone()),
        }));
    }
    if cx.phase == Phase::Base {
        return Ok(out.into_list());
    }
    // Units of processes that are no longer declared go with their files.
    out.add(Kind::Directory(Directory {
        path: QUADLETS.to_owned(),
        mode: 0o755,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        exclusive: true,
    }));
    // A container has a copy of it, made when it starts.
    let names = cx.inputs.resolver.map(|_| format!("file:{RESOLVER}"));
    for (name, process) in &spec.app.processes {
        let unit_name = process::unit_name(spec, name);
        let quadlet = out.file(file(
            &format!("{QUADLETS}/{unit_name}.container"),
            process::quadlet(cx, name, process, release)?,
        ));
        out.unit(Unit {
            enabled: None,
            restart_on: [
                vec![quadlet],
                variables.get(&Some(name.as_str())).cloned().unwrap_or_default(),
                names.clone().into_iter().collect(),
            ]
            .concat(),
            disrupts: process.port.is_some() && disrupts(cx.inputs.topology, Group::App),
            ..unit(&process_unit(spec, name))
        });
    }
    // All have been started by then, and get ready in parallel.
    for (name, process) in &spec.app.processes {
        out.add(Kind::Probe(probe(cx, name, process, spec.app.start_of(process))));
    }
    Ok(out.into_list())
}

/// Whose containers there are; without a process that of commands, for a migration.
fn everybody<'a>(inputs: &'a Inputs<'a>) -> Vec<Whose<'a>> {
    let names = inputs.spec.app.processes.keys();
    let mut all: Vec<Whose<'a>> =
        names.map(|name| Whose { inputs, process: Some(name.as_str()) }).collect();
    if all.is_empty() {
        all.push(Whose { inputs, process: None });
    }
    all
}

/// The process in whose container commands run that name none: the one that serves the public, else the first.
#[must_use]
pub fn default_process(spec: &Spec) -> Option<&str> {
    let public = public_process(spec).map(|(name, _)| name);
    public.or_else(|| spec.app.processes.keys().next().map(String::as_str))
}

fn probe(cx: &RoleContext<'_>, name: &str, process: &Process, deadline_s: u64) -> Probe {
    let spec = cx.inputs.spec;
    let unit = process_unit(spec, name);
    let container = process::unit_name(spec, name);
    let asked = Asked {
        address: process.port.map(|port| format!("{}:{port}", cx.machine.address)),
        container: &container,
        domain: &spec.app.domain,
    };
    let check = readiness::check(spec.app.ready_of(process), &asked);
    Probe { name: name.to_owned(), check, deadline_s, unit: Some(unit) }
}

/// What systemd calls a process of the application.
#[must_use]
pub fn process_unit(spec: &Spec, process: &str) -> String {
    format!("{}.service", process::unit_name(spec, process))
}

fn health(cx: &RoleContext<'_>) -> Vec<Service> {
    if cx.inputs.release.is_none() {
        return Vec::new();
    }
    let processes = &cx.inputs.spec.app.processes;
    let service = |(name, process): (&String, &Process)| {
        let concern = tls::concern(cx, Role::App, haproxy::IDENTITY);
        Service::new(name, vec![probe(cx, name, process, 5)], concern)
    };
    processes.iter().map(service).collect()
}
