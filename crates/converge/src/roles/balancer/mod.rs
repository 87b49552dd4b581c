//! The balancers: HAProxy before the application's machines, and of two the one that has the floating
//! address.

mod entry;
mod table;

pub(super) use table::TABLE;

use crate::context::RoleContext;
use crate::error::Error;
use crate::machine::{Resources, file, strings, unit};
use crate::phase::disrupts;
use crate::render::render;
use crate::roles::{Service, haproxy, readiness};
use crate::tls;
use andamio_manifest::{AUTHORITY, CERTIFIED, Check, File, Kind, Probe, Resource, Unit};
use andamio_spec::topology::{Machine, Role, ports, public_process};
use andamio_spec::{Group, Ready};
use minijinja::{Value, context};

/// Requests and connections that one address may have: an office of 500 behind one passes.
const CONNECTIONS: u32 = 400;
const REQUESTS_PER_S: u32 = 500;
/// Of the exporter, on loopback until a flow opens it.
const METRICS: u16 = 8405;
/// Answered by the balancer itself, on loopback.
const ALIVE: u16 = 8404;
const KEEPALIVED: &[&str] = &["keepalived"];
const KEEPALIVED_UNIT: &str = "keepalived.service";
/// The interface that carries a machine's address in a container of systemd-nspawn, and on most clouds.
const INTERFACES: (&str, &str) = ("host0", "eth0");

fn resources(cx: &RoleContext<'_>) -> Result<Vec<Resource>, Error> {
    let mut out = Resources::of("balancer");
    let floating = cx.inputs.topology.floating_address();
    // The address goes with the proxy: without it keepalived stops and gives the address away, and
    // comes back with it. No check that starts a process, and none that could be late.
    let also: &[&str] = if floating.is_some() { &["Upholds=keepalived.service"] } else { &[] };
    haproxy::begin(cx, &mut out);
    entry::add_folder(cx, &mut out);
    let disrupts = disrupts(cx.inputs.topology, Group::Balancer);
    haproxy::finish(&mut out, config(cx)?, also, disrupts);
    entry::add_renewal(cx, &mut out)?;
    if floating.is_some() {
        add_keepalived(cx, &mut out)?;
    }
    for probe in probes(cx, 30) {
        out.add(Kind::Probe(probe));
    }
    Ok(out.into_list())
}

fn config(cx: &RoleContext<'_>) -> Result<String, Error> {
    let topology = cx.inputs.topology;
    let port = public_process(cx.inputs.spec).and_then(|(_, process)| process.port);
    let encrypted = topology.entry.is_encrypted();
    let (ready, domain) = (ready(cx), &cx.inputs.spec.app.domain);
    let apps = topology.with_role(Role::App);
    let servers: Vec<Value> =
        apps.map(|m| context! { name => m.name, address => m.address.to_string() }).collect();
    let mut addresses = vec![cx.machine.address.to_string()];
    addresses.extend(topology.floating_address().map(|address| address.to_string()));
    render(
        "balancer.cfg",
        include_str!("balancer.cfg"),
        context! {
            admin => haproxy::ADMIN,
            addresses,
            http => ports::HTTP,
            https => ports::HTTPS,
            // A NodeBalancer passes bytes on, and says before them whose they are.
            proxied => if cx.is_linode() { " accept-proxy" } else { "" },
            encrypted,
            tls => haproxy::TLS,
            certificates => entry::certificates(cx),
            thumbprint => entry::thumbprint(cx),
            certified => CERTIFIED,
            authority => AUTHORITY,
            bytes_per_s => cx.inputs.environment.limits.bandwidth_bits_per_s.map(|bits| bits / 8),
            alive => ALIVE,
            metrics => METRICS,
            checks => readiness::haproxy(ready, domain, &cx.machine.name),
            asked => asked(ready).map(readiness::word),
            port => if encrypted { ports::APP_TLS } else { port.unwrap_or(ports::HTTP) },
            servers => if port.is_some() { servers } else { Vec::new() },
            connections => CONNECTIONS,
            requests => REQUESTS_PER_S,
        },
    )
}

fn add_keepalived(cx: &RoleContext<'_>, out: &mut Resources) -> Result<(), Error> {
    out.packages(KEEPALIVED);
    let others: Vec<String> = cx
        .inputs
        .topology
        .with_role(Role::Balancer)
        .filter(|machine| machine.name != cx.machine.name)
        .map(|machine| machine.address.to_string())
        .collect();
    let floating = cx.inputs.topology.floating_address().map(|address| address.to_string());
    let text = render(
        "keepalived.conf",
        include_str!("keepalived.conf"),
        context! {
            name => cx.machine.name,
            interface => if cx.is_local() { INTERFACES.0 } else { INTERFACES.1 },
            address => cx.machine.address.to_string(),
            others,
            floating => floating.unwrap_or_default(),
            priority => priority(cx.machine),
        },
    )?;
    let config = out.file(File {
        validate: strings(&["/usr/sbin/keepalived", "--config-test", "-f", "{}"]),
        ..file("/etc/keepalived/keepalived.conf", text)
    });
    let unit_file = out.file(file(
        "/etc/systemd/system/keepalived.service.d/10-andamio.conf",
        include_str!("keepalived-unit.conf"),
    ));
    out.unit(Unit {
        restart_on: vec![unit_file],
        reload_on: vec![config],
        ..unit(KEEPALIVED_UNIT)
    });
    Ok(())
}

/// Of two that start at once the first begins; after that who has the address keeps it.
fn priority(machine: &Machine) -> u32 {
    110_u32.saturating_sub(machine.index)
}

fn probes(cx: &RoleContext<'_>, deadline_s: u64) -> Vec<Probe> {
    let probe = |name: &str, check| Probe { name: name.to_owned(), check, deadline_s, unit: None };
    // Through the whole of it, balancer and application, but for the people's side.
    let alive = format!("127.0.0.1:{ALIVE}");
    let domain = &cx.inputs.spec.app.domain;
    let check = match cx.inputs.release {
        Some(_) => Check::Request(readiness::through(ready(cx), domain, alive)),
        // Whatever is not passed on is the balancer's own to answer.
        None => Check::Http(format!("http://{alive}{}", own_path(ready(cx)))),
    };
    let mut probes = vec![probe("balancer", check)];
    if cx.inputs.topology.floating_address().is_some() {
        probes.push(probe("keepalived", Check::Unit(KEEPALIVED_UNIT.to_owned())));
    }
    probes
}

/// Of the process that people reach.
fn ready<'a>(cx: &RoleContext<'a>) -> &'a Ready {
    let app = &cx.inputs.spec.app;
    public_process(cx.inputs.spec).map_or(&app.ready, |(_, process)| app.ready_of(process))
}

/// What the application is asked for through a balancer; none where only the balancer itself can tell.
fn asked(ready: &Ready) -> Option<&str> {
    match ready {
        Ready::Path { path, .. } => path.split('?').next(),
        _ => None,
    }
}

/// Another one, which says that the balancer lives.
fn own_path(ready: &Ready) -> &'static str {
    if asked(ready) == Some("/alive") { "/" } else { "/alive" }
}

fn health(cx: &RoleContext<'_>) -> Vec<Service> {
    let concern = tls::concern(cx, Role::Balancer, haproxy::IDENTITY);
    let mut services = vec![Service::new("balancer", probes(cx, 5), concern)];
    services.extend(entry::health(cx));
    services
}
