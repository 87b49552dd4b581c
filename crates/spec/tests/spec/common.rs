//! What the tests of this crate share.

use andamio_spec::topology::{Network, Peer, Topology, compute};
use andamio_spec::{Finding, Spec, parse};
use std::fmt::Write;

/// The file at the project's root.
pub(crate) const FICHARFIRM: &str = include_str!("../../../../andamio.toml");

pub(crate) fn ficharfirm() -> Spec {
    spec(FICHARFIRM)
}

pub(crate) fn spec(text: &str) -> Spec {
    let parsed = parse("andamio.toml", text);
    parsed.spec.unwrap_or_else(|| panic!("{}", findings(&parsed.findings)))
}

pub(crate) fn network() -> Network {
    "198.18.3.0/24".parse().expect("a network")
}

pub(crate) fn topology(spec: &Spec, env: &str) -> Topology {
    compute(spec, env, "local", network()).expect("a topology")
}

/// Two lines for each finding.
pub(crate) fn findings(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let key = if finding.key.is_empty() { "-" } else { &finding.key };
        writeln!(out, "{finding}\n    {key}: {}", finding.help).unwrap();
    }
    out
}

pub(crate) fn peer(peer: &Peer) -> &str {
    match peer {
        Peer::Operator => "operator",
        Peer::World => "world",
        Peer::Machine(name) => name,
    }
}
