//! Rules of a firewall. What a rule leaves out is left out of the answer too: clients take an empty
//! list for a difference.

use super::{entity, find, show};
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field};
use crate::error::Errors;
use crate::event;
use crate::store::{Body, Kind, Tx};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

const RULE: &[Field] = &[
    field("action", Rule::OneOf(&["ACCEPT", "DROP"])).required(),
    field("protocol", Rule::OneOf(&["TCP", "UDP", "ICMP", "IPENCAP"])).required(),
    field("label", Rule::Text(3, 32)),
    field("description", Rule::Text(1, 100)),
    field("ports", Rule::Text(0, 256)),
    field("addresses", Rule::Object),
];
const POLICY: Rule = Rule::OneOf(&["ACCEPT", "DROP"]);
const RULES: Rule = Rule::List(&Rule::Object);
const SET: &[Field] = &[
    field("inbound_policy", POLICY).required(),
    field("outbound_policy", POLICY).required(),
    field("inbound", RULES),
    field("outbound", RULES),
];
/// Rules in both directions together.
const MOST: usize = 25;
/// Ports and ranges of one rule.
const PORTS: usize = 15;

/// The rules as they are kept; `at` stands before the names of fields in errors.
pub(super) fn judge(wanted: &Body, at: &str, version: u64) -> Result<Value, Errors> {
    let given = create(SET, wanted).map_err(|errors| errors.within(at))?;
    let mut set = Body::new();
    let mut count = 0;
    for direction in ["inbound", "outbound"] {
        let mut rules = Vec::new();
        for (number, rule) in given.list(direction).iter().enumerate() {
            let rule = rule.as_object().cloned().unwrap_or_default();
            let at = format!("{at}{direction}[{number}].");
            rules.push(Value::Object(one(&rule).map_err(|errors| errors.within(&at))?));
        }
        count += rules.len();
        let policy = format!("{direction}_policy");
        set.insert(direction.to_owned(), Value::Array(rules));
        set.insert(policy.clone(), given.get(&policy).cloned().unwrap_or_default());
    }
    if count > MOST {
        return Err(Errors::field("rules", format!("A firewall has at most {MOST} rules")));
    }
    let digest = Sha256::digest(Value::Object(set.clone()).to_string().as_bytes());
    set.insert("version".to_owned(), version.into());
    set.insert("fingerprint".to_owned(), hex::encode(&digest[..4]).into());
    Ok(Value::Object(set))
}

fn one(rule: &Body) -> Result<Body, Errors> {
    let mut given = create(RULE, rule)?;
    let with_ports = matches!(given.text("protocol"), Some("TCP" | "UDP"));
    match given.text("ports").filter(|ports| !ports.is_empty()) {
        None => drop(given.remove("ports")),
        Some(_) if !with_ports => {
            return Err(Errors::field("ports", "Ports are allowed with TCP and UDP only"));
        }
        Some(ports) => {
            if let Some(reason) = ports_fault(ports) {
                return Err(Errors::field("ports", reason));
            }
        }
    }
    let addresses = given.remove("addresses").unwrap_or_default();
    let mut kept = Body::new();
    for (family, four) in [("ipv4", true), ("ipv6", false)] {
        let Some(list) = addresses[family].as_array().filter(|list| !list.is_empty()) else {
            continue;
        };
        for (number, address) in list.iter().enumerate() {
            if !address.as_str().is_some_and(|text| is_network(text, four)) {
                let field = format!("addresses.{family}[{number}]");
                return Err(Errors::field(
                    &field,
                    "Must be an address or a network in CIDR notation",
                ));
            }
        }
        kept.insert(family.to_owned(), json!(list));
    }
    if kept.is_empty() {
        return Err(Errors::field("addresses", "Must have at least one address"));
    }
    given.insert("addresses".to_owned(), Value::Object(kept));
    Ok(given)
}

fn ports_fault(ports: &str) -> Option<String> {
    let pieces: Vec<&str> = ports.split(',').map(str::trim).collect();
    if pieces.len() > PORTS {
        return Some(format!("Must have at most {PORTS} ports and ranges"));
    }
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let fits = |piece: &&str| match piece.split_once('-') {
        None => number(piece).is_some(),
        Some((from, to)) => number(from).zip(number(to)).is_some_and(|(from, to)| from < to),
    };
    (!pieces.iter().all(fits))
        .then(|| "Must be ports 1-65535, ranges, or both, with commas".to_owned())
}

fn is_network(text: &str, four: bool) -> bool {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if four { 32 } else { 128 };
    address.is_ipv4() == four && prefix.is_none_or(|p| p.parse::<u8>().is_ok_and(|p| p <= most))
}

pub(super) fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let firewall = find(tx, call)?;
    let version = firewall.body["rules"]["version"].as_u64().unwrap_or_default();
    let rules = judge(&call.body, "", version + 1)?;
    let changed = tx.change(Kind::Firewall, firewall.key(), |record| {
        record.set("rules", rules);
        record.set("updated", event::now());
    });
    let changed = changed.ok_or_else(Errors::not_found)?;
    event::notify(tx, "firewall_rules_update", &entity(&changed));
    Ok(show(tx, &changed)["rules"].take())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_networks() {
        for good in ["22", "22,80, 443", "1-65535", "22,8000-8080"] {
            assert_eq!(ports_fault(good), None, "{good}");
        }
        for bad in ["0", "65536", "22,", "a", "80-22", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"] {
            assert!(ports_fault(bad).is_some(), "{bad}");
        }
        for (text, four, good) in [
            ("0.0.0.0/0", true, true),
            ("10.0.0.1", true, true),
            ("10.0.0.0/33", true, false),
            ("::/0", false, true),
            ("::/0", true, false),
            ("2001:db8::/129", false, false),
        ] {
            assert_eq!(is_network(text, four), good, "{text}");
        }
    }
}
