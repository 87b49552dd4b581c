//! Events as their reader treats them.

use crate::call::{Call, plain};
use crate::error::Errors;
use crate::store::{Key, Kind, State, Tx};
use serde_json::{Value, json};

pub(crate) fn view(state: &State, call: &Call) -> Result<Value, Errors> {
    let event = state.get(Kind::Event, 0, call.id(0)?);
    event.map(|event| plain(event)).ok_or_else(Errors::not_found)
}

/// This one, and all before it.
pub(crate) fn mark(tx: &mut Tx<'_>, call: &Call, field: &str) -> Result<Value, Errors> {
    let last = call.id(0)?;
    view(tx, call)?;
    let unmarked = |e: &&std::sync::Arc<crate::store::Record>| {
        e.id <= last
            && (field == "seen" || e.id == last)
            && e.body.get(field) == Some(&json!(false))
    };
    let keys: Vec<Key> = tx.all(Kind::Event).filter(unmarked).map(|e| e.key()).collect();
    for key in keys {
        tx.change(Kind::Event, key, |event| event.set(field, true));
    }
    Ok(json!({}))
}
