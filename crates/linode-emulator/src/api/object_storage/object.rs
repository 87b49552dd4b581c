//! What API v4 itself shows of objects: a bucket's names, and addresses that do one thing for a while.

use super::bucket::find;
use super::signer;
use crate::call::Call;
use crate::check::{Field, Given, Rule, create, field};
use crate::error::Errors;
use crate::s3::SECRET;
use crate::s3::list::Wanted;
use crate::s3::sign::{Signed, decode};
use crate::store::State;
use serde_json::{Value, json};

const URL: &[Field] = &[
    field("method", Rule::OneOf(&["GET", "PUT", "POST", "DELETE"])).required(),
    field("name", Rule::Text(1, 1024)).required(),
    field("content_type", Rule::Text(1, 255)),
    field("expires_in", Rule::Integer(360, 86_400)),
];
/// Seconds, unless asked for otherwise.
const EXPIRES: u64 = 3600;
/// Names of a page.
const PAGE: usize = 100;

pub(super) fn all(state: &State, call: &Call) -> Result<Value, Errors> {
    let bucket = find(state, call)?;
    let asked = |name: &str| {
        let text = call.query.get(name).map_or("", String::as_str).replace('+', " ");
        decode(&text).map_err(|_| Errors::field(name, "Must be percent-encoded"))
    };
    let (prefix, delimiter, marker) = (asked("prefix")?, asked("delimiter")?, asked("marker")?);
    let most = match call.query.get("page_size") {
        None => PAGE,
        Some(text) => text.parse().map_err(|_| Errors::field("page_size", "Must be an integer"))?,
    };
    let wanted = Wanted { prefix: &prefix, delimiter: &delimiter, after: &marker, most };
    let page = wanted.page(state, bucket.id);
    let shown = |prefix: &String| json!({"name": prefix, "etag": null, "last_modified": null, "owner": null, "size": null});
    let mut data: Vec<Value> = page.prefixes.iter().map(shown).collect();
    data.extend(page.objects.iter().map(|record| {
        let mut body = record.body.clone();
        body.insert("owner".to_owned(), Value::Null);
        Value::Object(body)
    }));
    Ok(json!({"data": data, "is_truncated": page.next.is_some(), "next_marker": page.next}))
}

pub(super) fn url(state: &State, call: &Call) -> Result<Value, Errors> {
    let bucket = find(state, call)?;
    let given = create(URL, &call.body)?;
    let (Some(endpoint), Some(signer)) = (state.s3.as_deref(), signer(state)) else {
        return Err(Errors::bad("S3 is not served here: the emulator needs --s3-listen"));
    };
    let name = given.text("name").unwrap_or_default();
    let signed = Signed {
        method: given.text("method").unwrap_or("GET"),
        endpoint,
        bucket: bucket.text("label"),
        name,
        region: bucket.text("region"),
        access_key: signer.text("access_key"),
        secret: signer.hidden.text(SECRET).unwrap_or_default(),
        seconds: given.number("expires_in").unwrap_or(EXPIRES),
    };
    let exists = state.object(bucket.id, name).is_some();
    Ok(json!({"url": signed.url(jiff::Timestamp::now()), "exists": exists}))
}
