//! HAProxy without root: what the balancer and the proxy on the application's machines share.

use crate::context::RoleContext;
use crate::machine::{NOLOGIN, Resources, file, strings, unit};
use crate::tls;
use andamio_manifest::{File, ReloadMethod, Unit};

pub(super) const PACKAGES: &[&str] = &["haproxy"];
pub(super) const UNIT: &str = "haproxy.service";
pub const CONFIG: &str = "/etc/haproxy/haproxy.cfg";
/// Certificate and key that it shows to other machines.
pub(super) const IDENTITY: &str = "/etc/haproxy/identity.pem";
/// Where it is administered, by root and its own account.
pub(super) const ADMIN: &str = "/run/haproxy/admin.sock";
/// Group of its account, which reads it.
pub(super) const GROUP: &str = "haproxy";
/// What it speaks, to people as to machines: TLS 1.2 with forward secrecy and authenticated encryption, or
/// 1.3 (Mozilla's "intermediate" guideline 5.7, without its finite-field suites). Without tickets, whose
/// key would be as old as the process.
pub(super) const TLS: &str = "\
ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
    ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
    ssl-default-server-options ssl-min-ver TLSv1.2";

/// The package, which brings the account, and what it shows of itself.
pub(super) fn begin(cx: &RoleContext<'_>, out: &mut Resources) {
    out.account(GROUP, ("/var/lib/haproxy", NOLOGIN), "/var/lib/haproxy");
    out.packages(PACKAGES);
    if tls::has_identity(cx.inputs.topology, cx.machine) {
        // A reload would forget which database takes the writes.
        let taken_up = ReloadMethod::Haproxy(ADMIN.to_owned());
        tls::add_identity(cx, out, (IDENTITY, GROUP), taken_up);
    }
}

/// Configuration and unit. `also` is put into the drop-in's `[Unit]` section.
pub(super) fn finish(out: &mut Resources, config: String, also: &[&str], disrupts: bool) {
    let reload_on = vec![out.file(File {
        validate: strings(&["/usr/sbin/haproxy", "-c", "-f", "{}"]),
        ..file(CONFIG, config)
    })];
    let head =
        if also.is_empty() { String::new() } else { format!("[Unit]\n{}\n\n", also.join("\n")) };
    let text = format!("{head}{}", include_str!("unit.conf"));
    let unit_file = out.file(file("/etc/systemd/system/haproxy.service.d/10-andamio.conf", text));
    let restart_on = vec![unit_file];
    out.unit(Unit { restart_on, reload_on, disrupts, ..unit(UNIT) });
}
