//! Object Storage as API v4 has it: buckets and keys. Objects are behind S3, which is not here.

mod bucket;
mod key;

use super::catalog;
use super::route::{Route, delete, get, list, post, put};
use crate::error::Errors;
use serde_json::{Value, json};

pub(crate) const ROUTES: &[Route] = &[
    list("/object-storage/endpoints", |_, call| {
        call.page_of_values(catalog::object_storage_regions().map(|region| {
            json!({
                "region": region.id,
                "s3_endpoint": region.s3_endpoint(),
                "endpoint_type": ENDPOINT_TYPE,
            })
        }))
    }),
    list("/object-storage/clusters", |_, call| {
        call.page_of_values(catalog::object_storage_regions().map(cluster))
    }),
    get("/object-storage/clusters/{id}", |_, call| {
        let mut all = catalog::object_storage_regions();
        let found = all.find(|region| region.cluster() == call.text(0));
        found.map(cluster).ok_or_else(Errors::not_found)
    }),
    get("/object-storage/transfer", |_, _| Ok(json!({"used": 0}))),
    list("/object-storage/buckets", bucket::all),
    post("/object-storage/buckets", bucket::add),
    list("/object-storage/buckets/{region}", bucket::of_region),
    get("/object-storage/buckets/{region}/{label}", bucket::view),
    delete("/object-storage/buckets/{region}/{label}", bucket::remove),
    get("/object-storage/buckets/{region}/{label}/access", bucket::access),
    post("/object-storage/buckets/{region}/{label}/access", bucket::set_access),
    put("/object-storage/buckets/{region}/{label}/access", bucket::set_access),
    get("/object-storage/buckets/{region}/{label}/ssl", bucket::ssl),
    post("/object-storage/buckets/{region}/{label}/ssl", bucket::add_ssl),
    delete("/object-storage/buckets/{region}/{label}/ssl", bucket::remove_ssl),
    list("/object-storage/keys", key::all),
    post("/object-storage/keys", key::add),
    get("/object-storage/keys/{id}", key::view),
    put("/object-storage/keys/{id}", key::change),
    delete("/object-storage/keys/{id}", key::remove),
];

/// The one kind of endpoint that these regions have here.
const ENDPOINT_TYPE: &str = "E1";

fn cluster(region: &catalog::Region) -> Value {
    let domain = region.s3_endpoint();
    json!({
        "id": region.cluster(),
        "region": region.id,
        "domain": domain,
        "status": "available",
        "static_site_domain": format!("website-{domain}"),
    })
}

/// The region that a name means: its own, or that of the cluster that came before it.
fn region(name: &str) -> Option<&'static catalog::Region> {
    let mut all = catalog::object_storage_regions();
    all.find(|region| region.id == name || region.cluster() == name)
}
