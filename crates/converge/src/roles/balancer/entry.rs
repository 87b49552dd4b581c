//! Certificates of the people's side: the instance's own, and one from an authority that speaks ACME.

use super::ALIVE;
use crate::context::RoleContext;
use crate::error::Error;
use crate::machine::{Resources, directory, file, secret_file, unit};
use crate::render::render;
use crate::roles::haproxy::{GROUP, IDENTITY};
use crate::roles::table::Service;
use crate::tls;
use andamio_manifest::{ACME_ACCOUNT, ACME_ROOTS, Check, ENTRY, Probe, Unit};
use andamio_spec::model::Tls;
use andamio_spec::topology::Entry;
use minijinja::context;

/// What gets the certificate.
pub(super) const RUN: &str = "andamio-certificate.service";

/// What HAProxy shows to people, the best first: files, and folders of files.
pub(super) fn certificates(cx: &RoleContext<'_>) -> &'static [&'static str] {
    match cx.inputs.topology.entry {
        Entry::Plain => &[],
        Entry::Own => &[IDENTITY],
        // Its own, until an authority gave something better.
        Entry::Acme { .. } => &[ENTRY, IDENTITY],
    }
}

/// By which the authority knows the instance's account.
pub(super) fn thumbprint<'a>(cx: &RoleContext<'a>) -> Option<&'a str> {
    let account = cx.inputs.secret(tls::ACCOUNT_SECRET);
    matches!(cx.inputs.topology.entry, Entry::Acme { .. })
        .then(|| account.lines().next()?.strip_prefix("# "))
        .flatten()
}

/// The folder that HAProxy reads at its start, for what an authority gives.
pub(super) fn add_folder(cx: &RoleContext<'_>, out: &mut Resources) {
    if matches!(cx.inputs.topology.entry, Entry::Acme { .. }) {
        out.add(directory(ENTRY, 0o750, ("root", GROUP)));
    }
}

/// What gets the certificate and renews it, once HAProxy can answer for the name.
pub(super) fn add_renewal(cx: &RoleContext<'_>, out: &mut Resources) -> Result<(), Error> {
    let (Entry::Acme { domain }, Tls::Acme { directory, contact, roots }) =
        (&cx.inputs.topology.entry, &cx.inputs.environment.tls)
    else {
        return Ok(());
    };
    let account = cx.inputs.secret(tls::ACCOUNT_SECRET);
    let mut restart_on =
        vec![out.file(secret_file(ACME_ACCOUNT, account, ("root", "root"), 0o600))];
    if !roots.is_empty() {
        restart_on.push(out.file(file(ACME_ROOTS, roots)));
    }
    let roots = if roots.is_empty() { String::new() } else { format!(" --roots {ACME_ROOTS}") };
    let values = context! { domain, directory, contact, roots };
    let service = render("certificate.service", include_str!("certificate.service"), values)?;
    let folder = "/etc/systemd/system";
    restart_on.push(out.file(file(&format!("{folder}/{RUN}"), service)));
    let timer = include_str!("certificate.timer");
    restart_on.push(out.file(file(&format!("{folder}/andamio-certificate.timer"), timer)));
    out.unit(Unit { restart_on, ..unit("andamio-certificate.timer") });
    Ok(())
}

/// Is there a certificate that people trust, and will there be the next one?
pub(super) fn health(cx: &RoleContext<'_>) -> Option<Service> {
    matches!(cx.inputs.topology.entry, Entry::Acme { .. }).then(|| {
        let probe =
            |name: &str, check| Probe { name: name.to_owned(), check, deadline_s: 1, unit: None };
        let certified = Check::Http(format!("http://127.0.0.1:{ALIVE}/certified"));
        let run = Check::Run(RUN.to_owned());
        let certified = vec![probe("certificate", certified)];
        Service::new("certificate", certified, Some(probe("certificate-run", run)))
    })
}
