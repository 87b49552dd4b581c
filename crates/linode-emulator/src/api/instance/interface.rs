//! Interfaces of a configuration: the public one, VLANs, and VPCs with an address in a subnet.

use super::config;
use crate::api::vpc::range::Range;
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::store::{Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const INTERFACE: &[Field] = &[
    field("purpose", Rule::OneOf(&["public", "vlan", "vpc"])).required().fixed(),
    field("primary", Rule::Boolean),
    field("label", Rule::Text(0, 64)).fixed(),
    field("ipam_address", Rule::Text(0, 64)).fixed(),
    field("subnet_id", Rule::Integer(1, i64::MAX)).fixed(),
    field("ipv4", Rule::Object),
    field("ip_ranges", Rule::List(&Rule::Text(1, 32))),
];
/// Of one configuration.
const MOST: usize = 3;

/// Turns what is asked for into interfaces. `public` is the address behind `nat_1_1: any`.
pub(super) fn build(
    tx: &mut Tx<'_>,
    instance: &Record,
    list: &[Value],
    public: &str,
) -> Result<Vec<Value>, Errors> {
    if list.len() > MOST {
        return Err(Errors::field("interfaces", format!("Must have at most {MOST} items")));
    }
    if list.iter().filter(|i| i["primary"] == true).count() > 1 {
        return Err(Errors::field("interfaces", "Only one interface can be primary"));
    }
    let mut built: Vec<Value> = Vec::new();
    for (number, item) in list.iter().enumerate() {
        let taken: BTreeSet<Ipv4Addr> = built.iter().filter_map(address).collect();
        built.push(one(tx, instance, item, &format!("interfaces[{number}]"), public, &taken)?);
    }
    Ok(built)
}

fn address(interface: &Value) -> Option<Ipv4Addr> {
    interface["ipv4"]["vpc"].as_str()?.parse().ok()
}

fn one(
    tx: &mut Tx<'_>,
    instance: &Record,
    item: &Value,
    at: &str,
    public: &str,
    taken: &BTreeSet<Ipv4Addr>,
) -> Result<Value, Errors> {
    let item = item.as_object().cloned().unwrap_or_default();
    let given = create(INTERFACE, &item).map_err(|errors| errors.within(&format!("{at}.")))?;
    let purpose = given.text("purpose").unwrap_or_default();
    let id = tx.next_id();
    let mut interface = json!({
        "id": id,
        "purpose": purpose,
        "primary": given.flag("primary").unwrap_or(false),
        "active": false,
        "ipam_address": null,
        "label": null,
        "vpc_id": null,
        "subnet_id": null,
        "ipv4": null,
        "ipv6": null,
        "ip_ranges": given.list("ip_ranges"),
    });
    if purpose == "vlan" {
        let label = given.text("label").filter(|label| !label.is_empty());
        let label =
            label.ok_or_else(|| Errors::field(&format!("{at}.label"), "label is required"))?;
        interface["label"] = label.into();
        interface["ipam_address"] = given.text("ipam_address").unwrap_or_default().into();
    }
    if purpose == "vpc" {
        let field = format!("{at}.subnet_id");
        let subnet = given.number("subnet_id");
        let subnet = subnet.ok_or_else(|| Errors::field(&field, "subnet_id is required"))?;
        let subnet = tx.all(Kind::Subnet).find(|s| s.id == subnet).cloned();
        let subnet = subnet.ok_or_else(|| Errors::field(&field, "subnet_id is not valid"))?;
        let vpc = tx.get(Kind::Vpc, 0, subnet.parent);
        if vpc.is_some_and(|vpc| vpc.text("region") != instance.text("region")) {
            return Err(Errors::field(&field, "The VPC must be in the Linode's region"));
        }
        let wanted = given.object("ipv4");
        let mut taken = taken.clone();
        taken.extend(in_use(tx, subnet.id));
        let vpc =
            pick(&subnet, wanted.and_then(|w| w.text("vpc")), &taken, &format!("{at}.ipv4.vpc"))?;
        interface["vpc_id"] = subnet.parent.into();
        interface["subnet_id"] = subnet.id.into();
        let nat = nat(wanted, public, &format!("{at}.ipv4.nat_1_1"))?;
        interface["ipv4"] = json!({"vpc": vpc.to_string(), "nat_1_1": nat});
    }
    Ok(interface)
}

/// The address that is asked for, or the first that is free.
fn pick(
    subnet: &Record,
    wanted: Option<&str>,
    taken: &BTreeSet<Ipv4Addr>,
    field: &str,
) -> Result<Ipv4Addr, Errors> {
    let range: Range = subnet.text("ipv4").parse().map_err(|()| Errors::not_found())?;
    match wanted.filter(|text| !text.is_empty() && *text != "auto") {
        None => range
            .usable()
            .find(|address| !taken.contains(address))
            .ok_or_else(|| Errors::field(field, "The subnet has no free address")),
        Some(text) => {
            let address = text.parse().ok().filter(|address| range.is_usable(*address));
            let reason = || format!("Must be a usable address of {}", subnet.text("ipv4"));
            let address = address.ok_or_else(|| Errors::field(field, reason()))?;
            if taken.contains(&address) {
                return Err(Errors::field(field, "The address is in use"));
            }
            Ok(address)
        }
    }
}

/// `any` is the instance's own public address.
fn nat(wanted: Option<&crate::store::Body>, public: &str, field: &str) -> Result<Value, Errors> {
    match wanted.and_then(|w| w.text("nat_1_1")).filter(|text| !text.is_empty()) {
        None => Ok(Value::Null),
        Some(text) if text == "any" || text == public => Ok(public.into()),
        Some(_) => Err(Errors::field(field, "Must be the Linode's public address, or any")),
    }
}

/// Configuration and interface of everything in a subnet.
pub(crate) fn in_subnet(state: &State, subnet: u64) -> impl Iterator<Item = (&Record, &Value)> {
    state.all(Kind::Config).flat_map(move |config| {
        let interfaces = config.body.list("interfaces").iter();
        interfaces.filter(move |i| i["subnet_id"] == subnet).map(move |i| (&**config, i))
    })
}

fn in_use(state: &State, subnet: u64) -> Vec<Ipv4Addr> {
    in_subnet(state, subnet).filter_map(|(_, interface)| address(interface)).collect()
}

/// The VPC addresses of an instance, or of a subnet's instances, as the API lists them.
pub(crate) fn vpc_addresses(state: &State, wanted: impl Fn(&Record, &Value) -> bool) -> Vec<Value> {
    let mut all = Vec::new();
    for config in state.all(Kind::Config) {
        for interface in config.body.list("interfaces").iter().filter(|i| wanted(config, i)) {
            let (vpc, subnet) = (interface["vpc_id"].as_u64(), interface["subnet_id"].as_u64());
            let subnet = state.get(Kind::Subnet, vpc.unwrap_or(0), subnet.unwrap_or(0));
            let range = subnet.and_then(|s| s.text("ipv4").parse::<Range>().ok());
            let Some((subnet, range)) = subnet.zip(range) else { continue };
            let region = state.get(Kind::Vpc, 0, subnet.parent).map(|v| v.text("region"));
            all.push(json!({
                "address": interface["ipv4"]["vpc"],
                "address_range": null,
                "vpc_id": subnet.parent,
                "subnet_id": subnet.id,
                "region": region,
                "linode_id": config.parent,
                "config_id": config.id,
                "interface_id": interface["id"],
                "nodebalancer_id": null,
                "database_id": null,
                "active": config::is_active(state, config),
                "nat_1_1": interface["ipv4"]["nat_1_1"],
                "gateway": range.gateway().to_string(),
                "prefix": range.prefix(),
                "subnet_mask": range.mask().to_string(),
            }));
        }
    }
    all
}

pub(super) fn all(state: &State, call: &Call) -> Result<Value, Errors> {
    Ok(config::show(state, &config::of(state, call)?.1)["interfaces"].take())
}

pub(super) fn view(state: &State, call: &Call) -> Result<Value, Errors> {
    let id = call.id(2)?;
    let all = all(state, call)?;
    let one = all.as_array().into_iter().flatten().find(|i| i["id"] == id).cloned();
    one.ok_or_else(Errors::not_found)
}

pub(super) fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (instance, config) = config::of(tx, call)?;
    if config.body.list("interfaces").len() >= MOST {
        return Err(Errors::bad("A configuration has at most three interfaces"));
    }
    let public = super::ip::first_public(tx, instance.id);
    let item = Value::Object(call.body.clone());
    let built = one(tx, &instance, &item, "interface", &public, &BTreeSet::new())?;
    store(tx, &config, |interfaces| interfaces.push(built.clone()));
    Ok(built)
}

fn store(tx: &mut Tx<'_>, config: &Record, with: impl FnOnce(&mut Vec<Value>)) {
    tx.change(Kind::Config, config.key(), |record| {
        if let Some(Value::Array(interfaces)) = record.body.get_mut("interfaces") {
            with(interfaces);
        }
    });
}

pub(super) fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (instance, config) = config::of(tx, call)?;
    let mut interface = view(tx, call)?;
    let given = update(INTERFACE, &call.body)?;
    if let Some(primary) = given.get("primary") {
        interface["primary"] = primary.clone();
    }
    if let Some(ranges) = given.get("ip_ranges") {
        interface["ip_ranges"] = ranges.clone();
    }
    if let (Some(ipv4), "vpc") = (given.object("ipv4"), interface["purpose"].as_str().unwrap_or(""))
    {
        let subnet = tx.all(Kind::Subnet).find(|s| interface["subnet_id"] == s.id).cloned();
        let subnet = subnet.ok_or_else(Errors::not_found)?;
        let own = address(&interface);
        let taken = in_use(tx, subnet.id).into_iter().filter(|a| Some(*a) != own).collect();
        if let Some(wanted) = ipv4.text("vpc") {
            let picked = pick(&subnet, Some(wanted), &taken, "ipv4.vpc")?;
            interface["ipv4"]["vpc"] = picked.to_string().into();
        }
        if ipv4.contains_key("nat_1_1") {
            let public = super::ip::first_public(tx, instance.id);
            interface["ipv4"]["nat_1_1"] = nat(Some(ipv4), &public, "ipv4.nat_1_1")?;
        }
    }
    let changed = interface.clone();
    store(tx, &config, |interfaces| {
        for one in interfaces.iter_mut().filter(|i| i["id"] == changed["id"]) {
            one.clone_from(&changed);
        }
    });
    Ok(interface)
}

pub(super) fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (_, config) = config::of(tx, call)?;
    let gone = view(tx, call)?;
    store(tx, &config, |interfaces| interfaces.retain(|i| i["id"] != gone["id"]));
    Ok(json!({}))
}

pub(super) fn order(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let (_, config) = config::of(tx, call)?;
    let ids = call.body.list("ids");
    let known = config.body.list("interfaces");
    if ids.len() != known.len() || !known.iter().all(|i| ids.contains(&i["id"])) {
        return Err(Errors::field("ids", "Must name every interface of the configuration once"));
    }
    store(tx, &config, |interfaces| {
        interfaces.sort_by_key(|i| ids.iter().position(|id| *id == i["id"]));
    });
    Ok(json!({}))
}
