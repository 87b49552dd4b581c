//! Object Storage as API v4 has it: buckets, keys, names of objects. Objects themselves are behind S3.

mod bucket;
mod key;
mod object;

use super::catalog;
use super::route::{Route, delete, get, list, post, put};
use crate::error::Errors;
use crate::s3::SECRET;
use crate::store::{Kind, Record, State, Tx};
use serde_json::{Value, json};

pub(crate) const ROUTES: &[Route] = &[
    list("/object-storage/endpoints", |state, call| {
        call.page_of_values(catalog::object_storage_regions().map(|region| {
            json!({
                "region": region.id,
                "s3_endpoint": endpoint(state, region),
                "endpoint_type": ENDPOINT_TYPE,
            })
        }))
    }),
    list("/object-storage/clusters", |state, call| {
        call.page_of_values(catalog::object_storage_regions().map(|region| cluster(state, region)))
    }),
    get("/object-storage/clusters/{id}", |state, call| {
        let mut all = catalog::object_storage_regions();
        let found = all.find(|region| region.cluster() == call.text(0));
        found.map(|region| cluster(state, region)).ok_or_else(Errors::not_found)
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
    get("/object-storage/buckets/{region}/{label}/object-list", object::all),
    // It changes nothing: what it answers is signed, not kept.
    Route {
        method: "POST",
        ..get("/object-storage/buckets/{region}/{label}/object-url", object::url)
    },
    list("/object-storage/keys", key::all),
    post("/object-storage/keys", key::add),
    get("/object-storage/keys/{id}", key::view),
    put("/object-storage/keys/{id}", key::change),
    delete("/object-storage/keys/{id}", key::remove),
];

/// The one kind of endpoint that these regions have here.
const ENDPOINT_TYPE: &str = "E1";

fn cluster(state: &State, region: &catalog::Region) -> Value {
    let domain = endpoint(state, region);
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

/// Where clients find the region's S3: here, when it is served, or else where Linode has it.
fn endpoint(state: &State, region: &catalog::Region) -> String {
    let here = state.s3.as_deref().and_then(|url| url.split_once("://"));
    here.map_or_else(|| region.s3_endpoint(), |(_, host)| host.to_owned())
}

/// Signs the addresses that this API gives out.
fn signer(state: &State) -> Option<&Record> {
    state.all(Kind::ObjectSigner).next().map(|signer| &**signer)
}

/// What shows where S3 is follows from where it is in this run.
pub(crate) fn served(tx: &mut Tx<'_>) {
    if tx.s3.is_some() && signer(tx).is_none() {
        // Without randomness no key can be made either.
        if let (Ok(name), Ok(secret)) = (key::random(key::LENGTHS.0), key::random(key::LENGTHS.1)) {
            let mut signer = Record::default();
            signer.set("access_key", name);
            signer.hide(SECRET, secret);
            tx.put(Kind::ObjectSigner, signer);
        }
    }
    let at = |state: &State, place: &str| region(place).map(|region| endpoint(state, region));
    let buckets: Vec<_> = tx.all(Kind::Bucket).cloned().collect();
    for bucket in buckets {
        let Some(endpoint) = at(tx, bucket.text("region")) else { continue };
        if bucket.text("s3_endpoint") != endpoint {
            tx.change(Kind::Bucket, bucket.key(), |b| {
                b.set("hostname", format!("{}.{endpoint}", bucket.text("label")));
                b.set("s3_endpoint", endpoint);
            });
        }
    }
    let keys: Vec<_> = tx.all(Kind::ObjectKey).cloned().collect();
    for key in keys {
        let mut regions = key.body.get("regions").cloned().unwrap_or_default();
        for place in regions.as_array_mut().into_iter().flatten() {
            let endpoint = at(tx, place["id"].as_str().unwrap_or_default());
            place["s3_endpoint"] = endpoint.into();
        }
        if key.body.get("regions") != Some(&regions) {
            tx.change(Kind::ObjectKey, key.key(), |key| key.set("regions", regions));
        }
    }
}

/// `true` for a bucket with something in it, older versions included.
fn holds(state: &State, bucket: &Record) -> bool {
    let kinds = [Kind::Object, Kind::ObjectVersion];
    kinds.into_iter().any(|kind| state.of(kind, bucket.id).next().is_some())
}
