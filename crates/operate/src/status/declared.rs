//! Whether machines are what is declared: nothing is called healthy that is not.

use super::{Concern, Severity};
use andamio_converge::{RESOLVER, Release};
use andamio_manifest::{Event, Outcome};
use andamio_spec::Topology;
use andamio_spec::topology::Role;

/// How many differences are named; all of them are the plan's to show.
const NAMED: usize = 3;

/// Ids of resources that differ. Probes are services, and speak for themselves.
pub(super) fn differing(events: &[Event]) -> Vec<String> {
    let differs = |event: &Event| match event {
        Event::Resource { resource, outcome, .. } => {
            let differs = matches!(outcome, Outcome::Changed | Outcome::Failed);
            (differs && !resource.starts_with("probe:")).then(|| resource.clone())
        }
        Event::Started { .. } | Event::Done(_) => None,
    };
    events.iter().filter_map(differs).collect()
}

/// Without what another concern says of the machine already, with its reason: its name servers.
pub(super) fn untold(differing: Vec<String>, machine: &str, told: &[Concern]) -> Vec<String> {
    let names = told.iter().any(|c| c.code == "resolver" && c.subject == machine);
    differing
        .into_iter()
        .filter(|id| !(names && id.strip_prefix("file:") == Some(RESOLVER)))
        .collect()
}

/// A machine that differs.
pub(super) fn concern(env: &str, machine: &str, differing: &[String]) -> Option<Concern> {
    if differing.is_empty() {
        return None;
    }
    let named: Vec<&str> = differing.iter().take(NAMED).map(String::as_str).collect();
    let more = match differing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(Concern {
        code: "not-as-declared",
        severity: Severity::Page,
        subject: machine.to_owned(),
        since: None,
        message: format!("{machine} is not as declared: {}{more}", named.join(", ")),
        help: format!("`andamio plan {env}` shows it, `andamio up {env}` mends it"),
    })
}

/// An application that nobody has released.
pub(super) fn unreleased(topology: &Topology, release: Option<&Release>) -> Option<Concern> {
    let machine = topology.with_role(Role::App).next()?;
    release.is_none().then(|| Concern {
        code: "no-release",
        severity: Severity::Page,
        subject: machine.group.to_string(),
        since: None,
        message: "no release of the application is live".to_owned(),
        help: format!("`andamio up {}` builds it and brings it up", topology.env),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(resource: &str, outcome: Outcome) -> Event {
        Event::Resource {
            v: 1,
            resource: resource.to_owned(),
            outcome,
            diff: String::new(),
            message: String::new(),
            cause: None,
            disrupts: false,
            down: false,
            confirm: None,
            ms: 0,
        }
    }

    #[test]
    fn a_machine_that_differs_is_named_with_what_differs() {
        let events = [
            event("package:haproxy", Outcome::Changed),
            event("file:/etc/hosts", Outcome::Ok),
            event("unit:haproxy.service", Outcome::Failed),
            event("probe:balancer", Outcome::Failed),
            event("file:/etc/motd", Outcome::Changed),
            event("file:/etc/a", Outcome::Changed),
        ];
        let concern = concern("shop", "balancer-1", &differing(&events)).unwrap();
        assert_eq!(
            concern.message,
            "balancer-1 is not as declared: package:haproxy, unit:haproxy.service, file:/etc/motd and 1 more"
        );
        assert!(super::concern("shop", "balancer-1", &[]).is_none());
    }
}
