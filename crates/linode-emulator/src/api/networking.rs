//! Addresses over all instances: listing, names, sharing, assigning.

use super::instance::{change_ip, show_ip};
use super::route::{Route, get, list, post, put};
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field};
use crate::error::Errors;
use crate::store::{Key, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const ROUTES: &[Route] = &[
    list("/networking/ips", |state, call| {
        let of_instances = state.all(Kind::Ip).filter(|ip| ip.number("linode_id") > 0);
        call.page(of_instances, |ip| show_ip(state, ip))
    }),
    get("/networking/ips/{address}", |state, call| Ok(show_ip(state, &*find(state, call)?))),
    put("/networking/ips/{address}", |tx, call| {
        let ip = find(tx, call)?;
        change_ip(tx, call, &ip)
    }),
    post("/networking/ips/share", share),
    post("/networking/ipv4/share", share),
    list("/networking/ipv6/ranges", |_, call| call.page_of_values([])),
    list("/networking/ipv6/pools", |_, call| call.page_of_values([])),
    list("/networking/vlans", vlans),
];

const SHARE: &[Field] = &[
    field("linode_id", Rule::Integer(1, i64::MAX)).required(),
    field("ips", Rule::List(&Rule::Address)).required(),
];

fn find(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    let ip = state.named(Kind::Ip, call.text(0)).filter(|ip| ip.number("linode_id") > 0);
    ip.cloned().ok_or_else(Errors::not_found)
}

/// The addresses of others that an instance may take over; the list replaces the one before.
fn share(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let given = create(SHARE, &call.body)?;
    let id = given.number("linode_id").unwrap_or_default();
    let instance = tx.get(Kind::Instance, 0, id).cloned();
    let reason = || format!("Invalid Linode ID {id}");
    let instance = instance.ok_or_else(|| Errors::field("linode_id", reason()))?;
    for (number, address) in given.list("ips").iter().enumerate() {
        let ip = tx.named(Kind::Ip, address.as_str().unwrap_or_default());
        let field = format!("ips[{number}]");
        let ip = ip.ok_or_else(|| Errors::field(&field, "IP Address not found."))?;
        if ip.text("region") != instance.text("region") {
            return Err(Errors::field(&field, "Address must belong to same region as linode."));
        }
    }
    let shared = given.list("ips").to_vec();
    tx.change(Kind::Instance, Key { parent: 0, id }, |record| record.hide("shared_ipv4", shared));
    Ok(json!({}))
}

/// VLANs exist by being named in interfaces.
fn vlans(state: &State, call: &Call) -> Result<Value, Errors> {
    let mut all: Vec<Value> = Vec::new();
    for config in state.all(Kind::Config) {
        for interface in config.body.list("interfaces").iter().filter(|i| i["purpose"] == "vlan") {
            let region = state.get(Kind::Instance, 0, config.parent).map(|i| i.text("region"));
            let same =
                |v: &&mut Value| v["label"] == interface["label"] && v["region"].as_str() == region;
            match all.iter_mut().find(same) {
                Some(vlan) => {
                    if let Some(linodes) = vlan["linodes"].as_array_mut() {
                        linodes.push(config.parent.into());
                    }
                }
                None => all.push(json!({
                    "label": interface["label"],
                    "region": region,
                    "linodes": [config.parent],
                    "created": config.text("created"),
                })),
            }
        }
    }
    call.page_of_values(all)
}
