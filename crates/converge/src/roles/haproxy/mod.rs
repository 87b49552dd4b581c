//! HAProxy without root: what the balancer and the proxy on the application's machines share.

use crate::machine::{Resources, file, strings};
use andamio_manifest::File;

const CONFIG: &str = "/etc/haproxy/haproxy.cfg";

/// Package, configuration and the unit's drop-in; answers the ids of the last two. `also` is put into
/// the drop-in's `[Unit]` section.
pub(super) fn add(out: &mut Resources, config: String, also: &[&str]) -> (String, String) {
    out.packages(&["haproxy"]);
    let config = out.file(File {
        validate: strings(&["/usr/sbin/haproxy", "-c", "-q", "-f", "{}"]),
        ..file(CONFIG, config)
    });
    let head =
        if also.is_empty() { String::new() } else { format!("[Unit]\n{}\n\n", also.join("\n")) };
    let text = format!("{head}{}", include_str!("unit.conf"));
    let unit = out.file(file("/etc/systemd/system/haproxy.service.d/10-andamio.conf", text));
    (config, unit)
}
