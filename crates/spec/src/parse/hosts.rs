//! `[places.NAME]` of kind `hosts`: servers that exist already.

use super::reader::{Field, Reader, Table};
use crate::defaults;
use crate::model::{Group, Host, Place};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

pub(super) fn read(reader: &mut Reader<'_>, table: &Table<'_>) -> Place {
    reader.known(table, &["kind", "machines", "user", "port"]);
    Place::Hosts {
        machines: hosts(reader, table),
        user: table
            .get("user")
            .and_then(|field| user(reader, &field))
            .unwrap_or_else(|| defaults::SSH_USER.to_owned()),
        port: table
            .get("port")
            .and_then(|field| u16::try_from(reader.integer(&field, 1..=65_535)?).ok())
            .unwrap_or(defaults::SSH_PORT),
    }
}

fn user(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let name = reader.string(field)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(plain) {
        let message = format!("`{name}` is not the name of a user");
        reader.error("invalid-user", field.at(), message, "for example \"root\" or \"debian\"");
    }
    Some(name.to_owned())
}

fn hosts(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<Host> {
    let help = "write machines = [{ address = \"10.0.0.11\", groups = [\"app\"] }]";
    let Some(field) = table.get("machines") else {
        reader.missing(table, "machines", help);
        return Vec::new();
    };
    let items = reader.array(&field, help);
    if items.is_empty() && field.value.is_array() {
        reader.error("empty", field.at(), "`machines` is empty", help);
    }
    let mut hosts: Vec<Host> = Vec::new();
    let mut addresses = BTreeSet::new();
    for item in items {
        let Some(table) = reader.table(&item, help) else { continue };
        let host = host(reader, &table, &mut addresses);
        hosts.push(host);
    }
    hosts
}

fn host<'t>(reader: &mut Reader<'_>, table: &Table<'t>, addresses: &mut BTreeSet<&'t str>) -> Host {
    reader.known(table, &["address", "groups", "host_key"]);
    let host_key = table.get("host_key").and_then(|field| host_key(reader, &field));
    let mut host = Host { address: String::new(), groups: Vec::new(), host_key };
    match table.get("address") {
        Some(field) => {
            if let Some(address) = reader.string(&field) {
                check_address(reader, &field, address, addresses);
                address.clone_into(&mut host.address);
            }
        }
        None => reader.missing(table, "address", "add address = \"10.0.0.11\""),
    }
    let Some(field) = table.get("groups") else {
        reader.missing(table, "groups", "add groups = [\"app\"]: what the machine is for");
        return host;
    };
    let names = Group::ALL.map(Group::as_str);
    let items = reader.strings(&field);
    if items.is_empty() {
        reader.error("empty", field.at(), "`groups` names nothing", "for example [\"app\"]");
    }
    for (name, item) in items {
        match Group::from_name(name) {
            Some(group) if host.groups.contains(&group) => {
                let message = format!("`{name}` is here already");
                reader.error("duplicate", item.at(), message, "leave one of the two out");
            }
            Some(group) => host.groups.push(group),
            None => {
                let message = format!("no service `{name}`");
                reader.unknown("unknown-service", item.at(), &message, name, &names);
            }
        }
    }
    host
}

fn check_address<'t>(
    reader: &mut Reader<'_>,
    field: &Field<'t>,
    address: &'t str,
    addresses: &mut BTreeSet<&'t str>,
) {
    // The topology, and every file rendered from it, speaks IPv4; a name is looked up when it is used.
    let message = if address.parse::<Ipv6Addr>().is_ok() {
        format!("`{address}` is an IPv6 address, and the machines reach each other by IPv4")
    } else if address.parse::<Ipv4Addr>().is_ok() || is_name(address) {
        if !addresses.insert(address) {
            let message = format!("`{address}` is another machine's address already");
            let help = "one entry for each machine, with all its groups";
            reader.error("duplicate-address", field.at(), message, help);
        }
        return;
    } else {
        format!("`{address}` is neither an IPv4 address nor a host name")
    };
    let help = "write the address that the machines reach each other by, for example \"10.0.0.11\", or a name \
                that leads to it; the port of SSH is `port` of the place";
    reader.error("invalid-address", field.at(), message, help);
}

/// A host name as in RFC 1123. One whose last part is a number is an address with a mistake.
fn is_name(text: &str) -> bool {
    let part = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&part.len())
            && part.chars().all(plain)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(part) && !last.bytes().all(|b| b.is_ascii_digit())
}

/// A line as in the server's /etc/ssh/ssh_host_ed25519_key.pub; whether it is a key shows when it is
/// compared with the server's.
fn host_key(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.string(field)?;
    let mut words = text.split_whitespace();
    let kind = words.next().is_some_and(|k| k.starts_with("ssh-") || k.starts_with("ecdsa-"));
    let data = words.next().is_some_and(|data| data.starts_with("AAAA"));
    if !kind || !data {
        let message = format!("`{text}` is not an SSH host key");
        let help = "write what `ssh-keyscan -t ed25519 ADDRESS` prints after the address: \
                    \"ssh-ed25519 AAAA…\"";
        reader.error("invalid-host-key", field.at(), message, help);
    }
    Some(text.to_owned())
}
