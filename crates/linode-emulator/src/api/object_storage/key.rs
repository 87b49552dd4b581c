//! Access keys. The secret is told once, at creation; it is kept, since signatures are verified with it.

use super::{ENDPOINT_TYPE, endpoint, region};
use crate::call::{Call, plain};
use crate::check::{Field, Given, Rule, create, field, update};
use crate::error::Errors;
use crate::event::{self, Entity};
use crate::s3::SECRET;
use crate::store::{Body, Kind, Record, State, Tx};
use serde_json::{Value, json};
use std::sync::Arc;

const REGIONS: Rule = Rule::List(&Rule::Text(1, 64));
const KEY: &[Field] = &[
    field("label", Rule::Text(1, 50)).required(),
    field("regions", REGIONS),
    field("bucket_access", Rule::List(&Rule::Object)).fixed(),
];
const ACCESS: &[Field] = &[
    field("bucket_name", Rule::Text(3, 63)).required(),
    field("permissions", Rule::OneOf(&["read_only", "read_write"])).required(),
    field("region", Rule::Text(1, 64)),
    field("cluster", Rule::Text(1, 64)),
];
/// In place of a secret that was told already.
const TOLD: &str = "[REDACTED]";
/// Characters of an access key and of its secret.
pub(super) const LENGTHS: (usize, usize) = (20, 40);

fn find(state: &State, call: &Call) -> Result<Arc<Record>, Errors> {
    state.get(Kind::ObjectKey, 0, call.id(0)?).cloned().ok_or_else(Errors::not_found)
}

fn entity(key: &Record) -> Entity {
    Entity::of("obj_access_key", "object-storage/keys", key)
}

pub(super) fn all(state: &State, call: &Call) -> Result<Value, Errors> {
    call.page(state.all(Kind::ObjectKey), plain)
}

pub(super) fn view(state: &State, call: &Call) -> Result<Value, Errors> {
    Ok(plain(&*find(state, call)?))
}

/// Letters and digits, evenly: bytes beyond the last whole round of them are drawn again.
pub(super) fn random(length: usize) -> Result<String, Errors> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::new();
    while text.len() < length {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(|_| Errors::server(500, "No randomness"))?;
        let fair = 256 / ALPHABET.len() * ALPHABET.len();
        let fits = bytes.iter().map(|b| usize::from(*b)).filter(|b| *b < fair);
        let letters = fits.filter_map(|b| ALPHABET.get(b % ALPHABET.len()));
        text.extend(letters.take(length - text.len()).map(|b| char::from(*b)));
    }
    Ok(text)
}

fn regions(state: &State, names: &[Value]) -> Result<Value, Errors> {
    let each = names.iter().enumerate().map(|(number, name)| {
        let place = region(name.as_str().unwrap_or_default());
        let field = format!("regions[{number}]");
        let place = place.ok_or_else(|| Errors::field(&field, "region is not valid"))?;
        Ok(json!({
            "id": place.id,
            "s3_endpoint": endpoint(state, place),
            "endpoint_type": ENDPOINT_TYPE,
        }))
    });
    each.collect()
}

fn bucket_access(state: &State, list: &[Value]) -> Result<(Value, Vec<Value>), Errors> {
    let (mut kept, mut places) = (Vec::new(), Vec::new());
    for (number, wanted) in list.iter().enumerate() {
        let at = format!("bucket_access[{number}].");
        let wanted = wanted.as_object().cloned().unwrap_or_default();
        let given = create(ACCESS, &wanted).map_err(|errors| errors.within(&at))?;
        let named = given.text("region").or(given.text("cluster")).unwrap_or_default();
        let field = format!("{at}region");
        let place = region(named).ok_or_else(|| Errors::field(&field, "region is not valid"))?;
        let name = given.text("bucket_name").unwrap_or_default();
        let same = |b: &Arc<Record>| b.text("region") == place.id && b.text("label") == name;
        if !state.all(Kind::Bucket).any(same) {
            // The provider knows a bucket that is gone by these words.
            return Err(Errors::field(&format!("{at}bucket_name"), "Bucket not found"));
        }
        kept.push(json!({
            "bucket_name": given.text("bucket_name"),
            "permissions": given.text("permissions"),
            "region": place.id,
            "cluster": place.cluster(),
        }));
        if !places.contains(&json!(place.id)) {
            places.push(json!(place.id));
        }
    }
    Ok((kept.into(), places))
}

pub(super) fn add(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let given = create(KEY, &call.body)?;
    let limited = call.body.get("bucket_access").is_some_and(Value::is_array);
    let (access, places) = bucket_access(tx, given.list("bucket_access"))?;
    let wanted = given.list("regions");
    let regions = regions(tx, if wanted.is_empty() { &places } else { wanted })?;
    let mut body = Body::new();
    for (name, value) in [
        ("label", given.get("label").cloned().unwrap_or_default()),
        ("access_key", random(LENGTHS.0)?.into()),
        ("secret_key", TOLD.into()),
        ("limited", limited.into()),
        ("bucket_access", if limited { access } else { Value::Null }),
        ("regions", regions),
    ] {
        body.insert(name.to_owned(), value);
    }
    let secret = random(LENGTHS.1)?;
    let mut hidden = Body::new();
    hidden.insert(SECRET.to_owned(), secret.clone().into());
    let key = tx.insert(Kind::ObjectKey, 0, body, hidden);
    event::notify(tx, "obj_access_key_create", &entity(&key));
    let mut told = plain(&key);
    told["secret_key"] = secret.into();
    Ok(told)
}

pub(super) fn change(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let key = find(tx, call)?;
    let mut given = update(KEY, &call.body)?;
    if let Some(wanted) = given.remove("regions") {
        let wanted = wanted.as_array().cloned().unwrap_or_default();
        given.insert("regions".to_owned(), regions(tx, &wanted)?);
    }
    let changed = tx.change(Kind::ObjectKey, key.key(), |record| record.body.extend(given));
    let changed = changed.ok_or_else(Errors::not_found)?;
    event::notify(tx, "obj_access_key_update", &entity(&changed));
    Ok(plain(&changed))
}

pub(super) fn remove(tx: &mut Tx<'_>, call: &Call) -> Result<Value, Errors> {
    let key = find(tx, call)?;
    tx.delete(Kind::ObjectKey, key.key());
    event::notify(tx, "obj_access_key_delete", &entity(&key));
    Ok(json!({}))
}
