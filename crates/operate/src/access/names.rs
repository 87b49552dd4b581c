//! Servers that are declared by name: looked up once a run, here, by whoever runs it.

use crate::{Failure, Kind};
use andamio_spec::{Place, Spec};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::timeout;

/// Two name servers that are silent, each asked twice, end before.
const PATIENCE: Duration = Duration::from_secs(25);

/// Address of every server of the place that is declared by name.
///
/// # Errors
/// [`Kind::Host`] with every name that leads nowhere, or not to one server.
pub(crate) async fn resolve(
    spec: &Spec,
    place: &str,
) -> Result<BTreeMap<String, Ipv4Addr>, Failure> {
    let Some(Place::Hosts { machines, .. }) = spec.places.get(place) else {
        return Ok(BTreeMap::new());
    };
    let is_name = |text: &&str| text.parse::<Ipv4Addr>().is_err();
    let names: Vec<&str> = machines.iter().map(|h| h.address.as_str()).filter(is_name).collect();
    let found = join_all(names.iter().map(|name| look_up(name))).await;
    let mut addresses = BTreeMap::new();
    let mut problems = Vec::new();
    let written: Vec<Ipv4Addr> = machines.iter().filter_map(|h| h.address.parse().ok()).collect();
    for (name, found) in names.iter().zip(found) {
        match found.and_then(|all| one(name, &all)) {
            Ok(address) => {
                let other = addresses.iter().find(|(_, it)| **it == address);
                if let Some((other, _)) = other {
                    problems.push(format!("{name} and {other} are both {address}"));
                } else if written.contains(&address) {
                    problems.push(format!("{name} is {address}, which is there already"));
                }
                addresses.insert((*name).to_owned(), address);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        return Ok(addresses);
    }
    let help = "see what this machine knows of it (`getent ahosts NAME`), or write the IPv4 address by which \
                the servers reach each other into andamio.toml";
    Err(Failure::new(Kind::Host, "host-name", problems.join("; "), help))
}

async fn look_up(name: &str) -> Result<Vec<IpAddr>, String> {
    match timeout(PATIENCE, lookup_host((name, 0))).await {
        Ok(Ok(found)) => Ok(found.map(|at| at.ip()).collect()),
        Ok(Err(error)) => {
            // The library's own words begin with a sentence that says less.
            let why = error.to_string();
            let why = why.strip_prefix("failed to lookup address information: ").unwrap_or(&why);
            Err(format!("the name {name} does not resolve: {why}"))
        }
        Err(_) => Err(format!("no name server said within {PATIENCE:?} what {name} is")),
    }
}

/// The one address that a name must lead to.
fn one(name: &str, found: &[IpAddr]) -> Result<Ipv4Addr, String> {
    let four = |address: &IpAddr| if let IpAddr::V4(it) = address { Some(*it) } else { None };
    let all: BTreeSet<Ipv4Addr> = found.iter().filter_map(four).collect();
    let mut each = all.iter();
    match (each.next(), each.next()) {
        (None, _) => Err(format!(
            "{name} has no IPv4 address, by which the servers would reach each other, only IPv6"
        )),
        (Some(it), None) if it.is_loopback() || it.is_unspecified() => {
            Err(format!("{name} is {it} here, which no other server reaches"))
        }
        (Some(it), None) => Ok(*it),
        (Some(_), Some(_)) => {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            Err(format!("{name} leads to several addresses: {}", all.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(addresses: &[&str]) -> Spec {
        let entry =
            |address| format!("{{ address = \"{address}\", groups = [\"redis\", \"mariadb\"] }}, ");
        let entries: String = addresses.iter().map(entry).collect();
        let text = format!(
            "[project]\nname = \"rack\"\n[environments.shop]\non = \"rack\"\nredis = {{}}\n\
             [places.rack]\nkind = \"hosts\"\nmachines = [{entries}]\n"
        );
        let parsed = andamio_spec::parse("andamio.toml", &text);
        parsed.spec.unwrap_or_else(|| panic!("{:?}", parsed.findings))
    }

    #[test]
    fn a_name_leads_to_one_server() {
        let said = |found: &[&str]| {
            let found: Vec<IpAddr> = found.iter().map(|it| it.parse().unwrap()).collect();
            one("db1", &found)
        };
        // An address comes once for each kind of socket.
        assert_eq!(said(&["10.0.0.1", "10.0.0.1", "fd00::1"]), Ok(Ipv4Addr::new(10, 0, 0, 1)));
        assert!(said(&["fd00::1"]).unwrap_err().contains("only IPv6"));
        assert!(said(&["10.0.0.2", "10.0.0.1"]).unwrap_err().contains("10.0.0.1, 10.0.0.2"));
        assert!(said(&["127.0.1.1"]).unwrap_err().contains("no other server reaches"));
    }

    #[tokio::test]
    async fn addresses_need_no_name_server_and_names_that_lead_nowhere_are_all_said() {
        assert_eq!(resolve(&spec(&["10.0.0.1"]), "rack").await.unwrap(), BTreeMap::new());
        // RFC 6761: this never resolves.
        let failure = resolve(&spec(&["a.invalid", "b.invalid"]), "rack").await.unwrap_err();
        let message = failure.error.message;
        assert_eq!((failure.kind, failure.error.code.as_str()), (Kind::Host, "host-name"));
        assert!(message.contains("a.invalid") && message.contains("b.invalid"), "{message}");
    }
}
