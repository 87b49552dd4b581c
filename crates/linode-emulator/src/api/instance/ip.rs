//! Addresses of instances. Public ones are from 100.64.0.0/10 (RFC 6598), private ones from the range
//! that Linode has too, IPv6 from 2001:db8::/32 (RFC 3849): none of them leads anywhere, so that a
//! connection that is tried by mistake reaches nobody.

use super::{find, interface};
use crate::api::route::{Route, delete, get, post, put};
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::store::{Body, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    get("/linode/instances/{id}/ips", all),
    post("/linode/instances/{id}/ips", add),
    get("/linode/instances/{id}/ips/{address}", |state, call| Ok(show(state, &of(state, call)?.1))),
    put("/linode/instances/{id}/ips/{address}", |tx, call| {
        let (_, ip) = of(tx, call)?;
        change(tx, call, &ip)
    }),
    delete("/linode/instances/{id}/ips/{address}", remove),
];

const ADD: &[Field] =
    &[field("type", Rule::OneOf(&["ipv4"])).required(), field("public", Rule::Boolean).required()];
const CHANGE: &[Field] = &[field("rdns", Rule::Text(1, 254)).nullable()];
/// The addresses of a network of 256 that machines have: not the network, its gateway, and broadcast.
const HOSTS: u64 = 253;

/// The n-th address of a run of /24 networks.
fn nth(base: Ipv4Addr, networks: u64, n: u64) -> Ipv4Addr {
    let (network, host) = ((n / HOSTS) % networks, n % HOSTS + 2);
    let offset = u32::try_from(network * 256 + host).unwrap_or_default();
    Ipv4Addr::from_bits(base.to_bits() + offset)
}

/// A new address of an instance or NodeBalancer, noted so that nobody else gets it.
fn reserve(tx: &mut Tx<'_>, parent: u64, public: bool) -> (u64, Ipv4Addr) {
    let id = tx.next_id();
    let (base, networks) = if public {
        (Ipv4Addr::new(100, 64, 0, 0), 1 << 14)
    } else {
        (Ipv4Addr::new(192, 168, 128, 0), 1 << 7)
    };
    // The last network of a range keeps clear of what follows it.
    let mut candidates = (id..).map(|n| nth(base, networks, n));
    let free = candidates.find(|a| tx.named(Kind::Ip, &a.to_string()).is_none());
    let address = free.unwrap_or(base);
    let mut body = Body::new();
    body.insert("address".to_owned(), address.to_string().into());
    tx.put(Kind::Ip, Record { id, parent, body, hidden: Body::new() });
    (id, address)
}

/// For a NodeBalancer.
pub(crate) fn for_balancer(tx: &mut Tx<'_>, balancer: u64) -> String {
    reserve(tx, balancer, true).1.to_string()
}

/// Adds an address to an instance; the caller stores the instance.
pub(super) fn allocate(tx: &mut Tx<'_>, instance: &mut Record, public: bool) -> String {
    let (id, address) = reserve(tx, instance.id, public);
    let [a, b, c, d] = address.octets();
    let (gateway, mask, prefix) = if public {
        (Ipv4Addr::new(a, b, c, 1).to_string().into(), "255.255.255.0", 24)
    } else {
        (Value::Null, "255.255.128.0", 17)
    };
    let rdns = public.then(|| format!("{a}-{b}-{c}-{d}.ip.linodeusercontent.com"));
    let body = json!({
        "address": address.to_string(),
        "gateway": gateway,
        "subnet_mask": mask,
        "prefix": prefix,
        "type": "ipv4",
        "public": public,
        "rdns": rdns,
        "linode_id": instance.id,
        "interface_id": null,
        "region": instance.text("region"),
        "reserved": false,
    });
    if let Value::Object(body) = body {
        tx.put(Kind::Ip, Record { id, parent: instance.id, body, hidden: Body::new() });
    }
    if let Some(Value::Array(list)) = instance.body.get_mut("ipv4") {
        list.push(address.to_string().into());
    }
    address.to_string()
}

pub(super) fn slaac(id: u64) -> String {
    format!("2001:db8::f03c:{:x}:{:x}", (id >> 16) & 0xffff, id & 0xffff)
}

pub(super) fn first_public(state: &State, instance: u64) -> String {
    let public = state.of(Kind::Ip, instance).find(|ip| ip.body.flag("public") == Some(true));
    public.map_or_else(String::new, |ip| ip.text("address").to_owned())
}

/// Shows a 1:1 translation to a VPC address where there is one.
pub(crate) fn show(state: &State, ip: &Record) -> Value {
    let mut body = ip.body.clone();
    let nat = state.of(Kind::Config, ip.parent).find_map(|config| {
        let interfaces = config.body.list("interfaces").iter();
        interfaces.into_iter().find(|i| i["ipv4"]["nat_1_1"] == ip.text("address"))
    });
    let nat = nat.map(|i| {
        json!({"vpc_id": i["vpc_id"], "subnet_id": i["subnet_id"], "address": i["ipv4"]["vpc"]})
    });
    body.insert("vpc_nat_1_1".to_owned(), nat.unwrap_or_default());
    let instance = state.get(Kind::Instance, 0, ip.parent);
    let entity = instance.map(|instance| {
        json!({
            "id": instance.id,
            "type": "linode",
            "label": instance.text("label"),
            "url": format!("/v4/linode/instances/{}", instance.id),
        })
    });
    body.insert("assigned_entity".to_owned(), entity.unwrap_or_default());
    Value::Object(body)
}

fn all(state: &State, call: &Call) -> Result<Value, Errors> {
    let instance = find(state, call)?;
    let of_kind = |public: bool| {
        let ips = state.of(Kind::Ip, instance.id);
        let ips = ips.filter(move |ip| ip.body.flag("public") == Some(public));
        ips.map(|ip| show(state, ip)).collect::<Vec<_>>()
    };
    let shared = instance.hidden.list("shared_ipv4").iter().filter_map(Value::as_str);
    let shared = shared.filter_map(|address| state.named(Kind::Ip, address));
    let shared: Vec<Value> = shared.map(|ip| show(state, ip)).collect();
    let vpc = interface::vpc_addresses(state, |config, i| {
        config.parent == instance.id && i["purpose"] == "vpc"
    });
    let slaac = slaac(instance.id);
    let local = slaac.replace("2001:db8::", "fe80::");
    let v6 = |address: &str, public: bool| {
        json!({
            "address": address,
            "gateway": "fe80::1",
            "subnet_mask": "ffff:ffff:ffff:ffff::",
            "prefix": 64,
            "type": "ipv6",
            "rdns": null,
            "linode_id": instance.id,
            "region": instance.text("region"),
            "public": public,
        })
    };
    Ok(json!({
        "ipv4": {
            "public": of_kind(true),
            "private": of_kind(false),
            "shared": shared,
            "reserved": [],
            "vpc": vpc,
        },
        "ipv6": {
            "slaac": v6(&slaac, true),
            "link_local": v6(&local, false),
            "global": [],
            "vpc": [],
        },
    }))
}

fn of(state: &State, call: &Call) -> Result<(Arc<Record>, Arc<Record>), Errors> {
    let instance = find(state, call)?;
    let ip = state.named(Kind::Ip, call.text(1)).filter(|ip| ip.parent == instance.id);
    Ok((instance, ip.cloned().ok_or_else(Errors::not_found)?))
}

fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let instance = find(tx, call)?;
    let given = create(ADD, &call.body)?;
    let public = given.flag("public").unwrap_or(true);
    let private = tx.of(Kind::Ip, instance.id).any(|ip| ip.body.flag("public") == Some(false));
    if !public && private {
        return Err(Errors::field("public", "Linode has a private address already"));
    }
    let mut changed = Record::clone(&instance);
    let address = allocate(tx, &mut changed, public);
    tx.put(Kind::Instance, changed);
    event::notify(tx, "linode_addip", &Entity::instance(&instance));
    let ip = tx.named(Kind::Ip, &address).cloned().ok_or_else(Errors::not_found)?;
    Ok(show(tx, &ip))
}

/// A name that is taken away is the one that it had at first.
pub(crate) fn change(tx: &mut Tx<'_>, call: &Call, ip: &Record) -> Result<Value, Errors> {
    let given = update(CHANGE, &call.body)?;
    let changed = tx.change(Kind::Ip, ip.key(), |record| match given.get("rdns") {
        None => {}
        Some(Value::Null) => {
            let dashed = record.text("address").replace('.', "-");
            record.set("rdns", format!("{dashed}.ip.linodeusercontent.com"));
        }
        Some(name) => record.set("rdns", name.clone()),
    });
    let changed = changed.ok_or_else(Errors::not_found)?;
    Ok(show(tx, &changed))
}

fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (instance, ip) = of(tx, call)?;
    let public = |ip: &&Arc<Record>| ip.body.flag("public") == Some(true);
    if ip.body.flag("public") == Some(false) {
        return Err(Errors::bad("A private address cannot be deleted"));
    }
    if tx.of(Kind::Ip, instance.id).filter(public).count() < 2 {
        return Err(Errors::bad("Linode must have at least one public address"));
    }
    let address = ip.text("address").to_owned();
    tx.delete(Kind::Ip, ip.key());
    tx.change(Kind::Instance, instance.key(), |record| {
        if let Some(Value::Array(list)) = record.body.get_mut("ipv4") {
            list.retain(|a| *a != *address);
        }
    });
    event::notify(tx, "linode_deleteip", &Entity::instance(&instance));
    Ok(json!({}))
}
