//! What every machine has: who may log in, what may reach it, its names, its logs, its updates.

mod firewall;
mod table;
mod transfer;
mod updates;

pub(super) use table::TABLE;

use crate::context::RoleContext;
use crate::error::Error;
use crate::machine::{Resources, directory, file, strings, unit};
use crate::render::render;
use crate::tls;
use andamio_manifest::{Agent, File, Firewall, Kind, Resource, Sysctl, Unit};
use minijinja::context;
use std::fmt::Write as _;

/// Only what works in a container too: `kernel.*`, `vm.*` and `fs.*` are the host's there.
const SYSCTLS: &[(&str, &str)] = &[
    ("net.ipv4.tcp_syncookies", "1"),
    ("net.ipv4.conf.all.rp_filter", "1"),
    ("net.ipv4.conf.all.accept_redirects", "0"),
    ("net.ipv4.conf.default.accept_redirects", "0"),
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.all.accept_source_route", "0"),
    ("net.ipv6.conf.all.accept_redirects", "0"),
    ("net.ipv6.conf.default.accept_redirects", "0"),
    // Services bind to the machine's own address; at boot some start before it is there.
    ("net.ipv4.ip_nonlocal_bind", "1"),
];

/// Follows the host's, which may be on another network than yesterday.
pub const RESOLVER: &str = "/etc/resolv.conf";

const PACKAGES: &[&str] = &[
    "ca-certificates",
    "logrotate",
    "nftables",
    "openssh-server",
    "systemd-timesyncd",
    "unattended-upgrades",
];

fn resources(cx: &RoleContext<'_>) -> Result<Vec<Resource>, Error> {
    let mut out = Resources::of("base");
    // Before all that is run by a unit.
    out.add(Kind::Agent(Agent { digest: cx.inputs.agent.to_owned() }));
    out.packages(PACKAGES);
    if cx.is_host() {
        // The list of hosts has the names of this environment; the server's own stays known by this.
        out.packages(&["libnss-myhostname"]);
    }
    out.add(directory("/etc/andamio", 0o700, ("root", "root")));
    out.file(file("/etc/hosts", hosts(cx)));
    if let Some(resolver) = cx.inputs.resolver {
        out.file(file(RESOLVER, resolver));
    }
    tls::add_authorities(cx, &mut out);
    for (key, value) in SYSCTLS {
        out.add(Kind::Sysctl(Sysctl { key: (*key).to_owned(), value: (*value).to_owned() }));
    }
    add_firewall(cx, &mut out);
    add_ssh(cx, &mut out)?;
    add_limits(&mut out);
    updates::add(cx, &mut out)?;
    transfer::add(cx, &mut out)?;
    Ok(out.into_list())
}

/// Every machine by name, so that no name server is needed between them.
fn hosts(cx: &RoleContext<'_>) -> String {
    let mut text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
    for machine in &cx.inputs.topology.machines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}\t{}", machine.address, machine.name);
    }
    text
}

fn add_firewall(cx: &RoleContext<'_>, out: &mut Resources) {
    out.add(Kind::Firewall(Firewall { ruleset: firewall::ruleset(cx) }));
    // Those rules are live, and kept in a file; this brings them back at boot, before the network.
    // One transaction: there is no moment without rules.
    let load = out.file(file(
        "/etc/nftables.d/andamio-load.nft",
        "destroy table inet andamio\ninclude \"/etc/nftables.d/andamio.nft\"\n",
    ));
    let service = out.file(file(
        "/etc/systemd/system/andamio-firewall.service",
        include_str!("firewall.service"),
    ));
    out.unit(Unit { restart_on: vec![load, service], ..unit("andamio-firewall.service") });
}

fn add_ssh(cx: &RoleContext<'_>, out: &mut Resources) -> Result<(), Error> {
    let text = render(
        "sshd.conf",
        include_str!("sshd.conf"),
        context! {
            address => cx.machine.address.to_string(),
            operator => cx.inputs.topology.network.gateway().to_string(),
            local => cx.is_local(),
            host => cx.is_host(),
        },
    )?;
    // The drop-in is a complete configuration of its own for the test: every keyword that it sets
    // is judged; what the distribution's file adds comes after it, and the first value counts.
    let config = out.file(File {
        validate: strings(&["/usr/sbin/sshd", "-t", "-f", "{}"]),
        ..file("/etc/ssh/sshd_config.d/10-andamio.conf", text)
    });
    // The file holds exactly these keys, so it is only for machines that are Andamio's alone.
    if !cx.is_host() {
        out.add(directory("/root/.ssh", 0o700, ("root", "root")));
        let mut keys = cx.inputs.operator_keys.join("\n");
        keys.push('\n');
        out.file(File { mode: 0o600, ..file("/root/.ssh/authorized_keys", keys) });
    }
    out.unit(Unit { reload_on: vec![config], ..unit("ssh.service") });
    Ok(())
}

fn add_limits(out: &mut Resources) {
    let journald = out
        .file(file("/etc/systemd/journald.conf.d/10-andamio.conf", include_str!("journald.conf")));
    out.unit(Unit {
        enabled: None,
        restart_on: vec![journald],
        ..unit("systemd-journald.service")
    });
    out.file(File {
        validate: strings(&["/usr/sbin/logrotate", "--debug", "{}"]),
        ..file("/etc/logrotate.conf", include_str!("logrotate.conf"))
    });
    out.unit(unit("logrotate.timer"));
    let cleaning = out.file(file(
        "/etc/systemd/system/systemd-tmpfiles-clean.timer.d/10-andamio.conf",
        include_str!("tmpfiles.conf"),
    ));
    out.unit(Unit {
        enabled: None,
        restart_on: vec![cleaning],
        ..unit("systemd-tmpfiles-clean.timer")
    });
    let time = out.file(file(
        "/etc/systemd/timesyncd.conf.d/10-andamio.conf",
        include_str!("timesyncd.conf"),
    ));
    // It refuses to run in a container, whose clock is the host's: running is left to the unit's own
    // condition.
    out.unit(Unit { running: None, restart_on: vec![time], ..unit("systemd-timesyncd.service") });
    // A core dump holds whatever secrets the process had.
    out.file(file("/etc/systemd/system.conf.d/90-andamio.conf", "[Manager]\nDefaultLimitCORE=0\n"));
    out.file(file(
        "/etc/security/limits.d/10-andamio.conf",
        "*\thard\tcore\t0\nroot\thard\tcore\t0\n",
    ));
    // Without it every login is a warning in the journal.
    out.file(file("/etc/locale.conf", "LANG=C.UTF-8\n"));
    // No banner: it tells an attacker the release and a script nothing.
    out.file(file("/etc/motd", ""));
}
