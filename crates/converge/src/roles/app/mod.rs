//! The application: its image, its environment, and one unit per process, run by podman.
//!
//! Containers share the machine's network, run as [`USER`] without any capability, and see a
//! read-only file system but for `/tmp`, `/run` and the paths of `[app].files`.

mod environment;
mod one_off;
mod process;
mod proxy;
mod table;

pub use environment::app_environment;
pub use one_off::{one_off, outsider};
pub(super) use table::TABLE;

use crate::context::RoleContext;
use crate::error::Error;
use crate::machine::{Resources, directory, file, secret_file, sensitive, unit};
use crate::phase::{Phase, disrupts};
use crate::roles::base::RESOLVER;
use crate::roles::readiness::{self, Asked};
use crate::roles::{Service, haproxy};
use crate::tls;
use andamio_manifest::{Directory, Image, Kind, Probe, Resource, Secrets, Sysctl, Unit};
use andamio_spec::model::Process;
use andamio_spec::topology::{Role, ports};
use andamio_spec::{Group, Ready, Spec};

/// The application's variables on its machines, for processes and one-offs alike: a command line
/// would show them to every process.
pub const ENV_FILE: &str = "/etc/andamio/app.env";
/// User and group of every container, whatever the image says: never root, and the owner of files.
pub(crate) const USER: &str = "10001";
const FILES: &str = "/var/lib/andamio/files";
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
    let mut variables = vec![out.file(secret_file(
        ENV_FILE,
        environment::lines(cx.inputs),
        ("root", "root"),
        0o600,
    ))];
    let stored = environment::stored(cx.inputs);
    let values = stored.iter().map(|(name, value)| (name.clone(), sensitive(value))).collect();
    let prefix = environment::STORED.to_owned();
    let secrets = out.add(Kind::Secrets(Secrets { prefix, values }));
    if !stored.is_empty() {
        variables.push(secrets);
    }
    // Ports below 1024 are for root, which no process is. What is declared is free, and no more.
    let lowest = spec.app.processes.values().filter_map(|process| process.port).min();
    let first = lowest.unwrap_or(ports::FIRST_FREE).min(ports::FIRST_FREE);
    out.add(Kind::Sysctl(Sysctl {
        key: "net.ipv4.ip_unprivileged_port_start".to_owned(),
        value: first.to_string(),
    }));
    if !spec.app.files.is_empty() {
        // Containers get the folders below as mounts: nobody else has to reach them.
        out.add(directory("/var/lib/andamio", 0o700, ("root", "root")));
        out.add(directory(FILES, 0o700, ("root", "root")));
    }
    for path in parents_and_self(spec) {
        out.add(directory(&path, 0o750, (USER, USER)));
    }
    let Some(release) = cx.inputs.release else { return Ok(out.into_list()) };
    out.add(Kind::Image(Image { name: release.image.clone(), archive: release.archive.clone() }));
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
            restart_on: [vec![quadlet], variables.clone(), names.clone().into_iter().collect()]
                .concat(),
            disrupts: process.port.is_some() && disrupts(cx.inputs.topology, Group::App),
            ..unit(&process_unit(spec, name))
        });
    }
    // All have been started by then, and get ready in parallel.
    for (name, process) in &spec.app.processes {
        out.add(Kind::Probe(probe(cx, name, process, 60)));
    }
    Ok(out.into_list())
}

/// Host side of a kept path.
fn host_path(path: &str) -> String {
    format!("{FILES}{path}")
}

/// Folders of `[app].files` from the top, each once.
fn parents_and_self(spec: &Spec) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for path in &spec.app.files {
        let mut whole = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            whole = format!("{whole}/{part}");
            let on_host = host_path(&whole);
            if !all.contains(&on_host) {
                all.push(on_host);
            }
        }
    }
    all
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
    let check = readiness::check(&Ready::path(&spec.app.ready), &asked);
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
