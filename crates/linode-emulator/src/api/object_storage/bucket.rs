//! Buckets, found by region or cluster, and label.

use super::{ENDPOINT_TYPE, endpoint, holds, region};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event;
use crate::s3::forget_uploads;
use crate::store::{Body, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

const ACL: Rule =
    Rule::OneOf(&["private", "public-read", "authenticated-read", "public-read-write"]);
const BUCKET: &[Field] = &[
    field("label", Rule::Label(3, 63, "-.")).required(),
    field("region", Rule::Text(1, 64)),
    field("cluster", Rule::Text(1, 64)),
    field("acl", ACL),
    field("cors_enabled", Rule::Boolean),
    field("endpoint_type", Rule::OneOf(&[ENDPOINT_TYPE])),
    field("s3_endpoint", Rule::Text(1, 253)),
];
const ACCESS: &[Field] = &[field("acl", ACL), field("cors_enabled", Rule::Boolean)];
const CERTIFICATE: &[Field] = &[
    field("certificate", Rule::Text(1, 65_535)).required(),
    field("private_key", Rule::Text(1, 65_535)).required(),
];

pub(super) fn find(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    let place = region(call.text(0)).ok_or_else(Errors::not_found)?;
    let same = |b: &&Arc<Record>| b.text("region") == place.id && b.text("label") == call.text(1);
    state.all(Kind::Bucket).find(same).cloned().ok_or_else(Errors::not_found)
}

pub(super) fn all(state: &State, call: &Call) -> Result<Value, Errors> {
    call.page(state.all(Kind::Bucket), plain)
}

pub(super) fn of_region(state: &State, call: &Call) -> Result<Value, Errors> {
    let place = region(call.text(0)).ok_or_else(Errors::not_found)?;
    call.page(state.all(Kind::Bucket).filter(move |b| b.text("region") == place.id), plain)
}

pub(super) fn view(state: &State, call: &Call) -> Result<Value, Errors> {
    Ok(plain(&*find(state, call)?))
}

pub(super) fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let given = create(BUCKET, &call.body)?;
    let (field, named) = match (given.text("region"), given.text("cluster")) {
        (Some(region), None) => ("region", region),
        (None, Some(cluster)) => ("cluster", cluster),
        _ => return Err(Errors::field("region", "Exactly one of region and cluster is required")),
    };
    let place =
        region(named).ok_or_else(|| Errors::field(field, format!("{field} is not valid")))?;
    let endpoint = endpoint(tx, place);
    if given.text("s3_endpoint").is_some_and(|given| given != endpoint) {
        return Err(Errors::field("s3_endpoint", "s3_endpoint is not one of the region's"));
    }
    let label = given.text("label").unwrap_or_default();
    if label.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(Errors::field("label", "Must only use lower case letters"));
    }
    // Where S3 is served, all regions are at one address, and a path has only the label.
    let here = tx.s3.is_some();
    let same = |b: &Arc<Record>| (here || b.text("region") == place.id) && b.text("label") == label;
    if tx.all(Kind::Bucket).any(same) {
        return Err(Errors::field("label", "Bucket already exists"));
    }
    let body = json!({
        "label": label,
        "hostname": format!("{label}.{endpoint}"),
        "created": event::now(),
        "region": place.id,
        "cluster": place.cluster(),
        "size": 0,
        "objects": 0,
        "endpoint_type": ENDPOINT_TYPE,
        "s3_endpoint": endpoint,
    });
    let mut bucket = Record { id: tx.next_id(), ..Record::default() };
    if let Value::Object(body) = body {
        bucket.body = body;
    }
    bucket.hide("acl", given.text("acl").unwrap_or("private"));
    bucket.hide("cors_enabled", given.flag("cors_enabled").unwrap_or(false));
    Ok(plain(&tx.put(Kind::Bucket, bucket)))
}

pub(super) fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let bucket = find(tx, call)?;
    if holds(tx, &bucket) {
        return Err(Errors::bad(
            "Bucket is not empty. Please delete all objects before deleting the bucket.",
        ));
    }
    // Their files go at the next start.
    forget_uploads(tx, bucket.id);
    tx.delete(Kind::Bucket, bucket.key());
    Ok(json!({}))
}

pub(super) fn access(state: &State, call: &Call) -> Result<Value, Errors> {
    let bucket = find(state, call)?;
    Ok(json!({
        "acl": bucket.hidden.text("acl"),
        "acl_xml": "",
        "cors_enabled": bucket.hidden.flag("cors_enabled"),
        "cors_xml": null,
    }))
}

pub(super) fn set_access(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let bucket = find(tx, call)?;
    let given: Body = update(ACCESS, &call.body)?;
    tx.change(Kind::Bucket, bucket.key(), |record| record.hidden.extend(given));
    Ok(json!({}))
}

pub(super) fn ssl(state: &State, call: &Call) -> Result<Value, Errors> {
    Ok(json!({"ssl": find(state, call)?.hidden.flag("ssl").unwrap_or(false)}))
}

/// Certificate and key are judged and not kept: nothing here serves with them.
pub(super) fn add_ssl(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let bucket = find(tx, call)?;
    create(CERTIFICATE, &call.body)?;
    tx.change(Kind::Bucket, bucket.key(), |record| record.hide("ssl", true));
    Ok(json!({"ssl": true}))
}

pub(super) fn remove_ssl(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let bucket = find(tx, call)?;
    tx.change(Kind::Bucket, bucket.key(), |record| record.hide("ssl", false));
    Ok(json!({}))
}
