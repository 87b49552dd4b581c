//! What can be had: types, regions, images, kernels, and their prices. The same for everybody, and
//! nothing changes it.

mod images;
mod regions;
mod types;

pub(crate) use images::{Image, image, kernel};
pub(crate) use regions::{
    PLACEMENT_MEMBERS, Region, ids as region_ids, object_storage_regions, region,
};
pub(crate) use types::{Plan, plan};

use super::route::{Route, get, list};
use crate::error::Errors;
use serde_json::{Value, json};

pub(crate) const ROUTES: &[Route] = &[
    list("/linode/types", |_, call| call.page_of_values(types::all())).open(),
    get("/linode/types/{id}", |_, call| found(plan(call.text(0)).map(Plan::to_json))).open(),
    list("/regions", |_, call| call.page_of_values(regions::all())).open(),
    list("/regions/availability", |_, call| call.page_of_values(regions::availability())).open(),
    get("/regions/{id}", |_, call| found(region(call.text(0)).map(Region::to_json))).open(),
    get("/regions/{id}/availability", |_, call| {
        region(call.text(0)).ok_or_else(Errors::not_found)?;
        let of_it = regions::availability().filter(|a| a["region"] == call.text(0));
        Ok(Value::Array(of_it.collect()))
    })
    .open(),
    list("/images", |_, call| call.page_of_values(images::all())).open(),
    get("/images/{vendor}/{name}", |_, call| {
        let id = format!("{}/{}", call.text(0), call.text(1));
        found(image(&id).map(Image::to_json))
    })
    .open(),
    // linodego escapes the slash of an id.
    get("/images/{id}", |_, call| found(image(call.text(0)).map(Image::to_json))).open(),
    list("/linode/kernels", |_, call| call.page_of_values(images::kernels())).open(),
    get("/linode/kernels/{vendor}/{name}", |_, call| {
        let id = format!("{}/{}", call.text(0), call.text(1));
        found(images::kernels().find(|k| k["id"] == id.as_str()))
    })
    .open(),
    get("/linode/kernels/{id}", |_, call| {
        found(images::kernels().find(|k| k["id"] == call.text(0)))
    })
    .open(),
    list("/volumes/types", |_, call| {
        call.page_of_values([priced("volume", "Storage Volume", 0.00015, Some(0.1))])
    })
    .open(),
    list("/nodebalancers/types", |_, call| {
        call.page_of_values([priced("nodebalancer", "NodeBalancer", 0.015, Some(10.0))])
    })
    .open(),
    list("/object-storage/types", |_, call| {
        call.page_of_values([priced("objectstorage", "Object Storage", 0.0075, Some(5.0))])
    })
    .open(),
    list("/network-transfer/prices", |_, call| {
        call.page_of_values([priced("network_transfer", "Network Transfer", 0.005, None)])
    })
    .open(),
];

fn found(value: Option<Value>) -> Result<Value, Errors> {
    value.ok_or_else(Errors::not_found)
}

/// USD.
fn priced(id: &str, label: &str, hourly: f64, monthly: Option<f64>) -> Value {
    json!({
        "id": id,
        "label": label,
        "price": {"hourly": hourly, "monthly": monthly},
        "region_prices": [],
        "transfer": 0,
    })
}
