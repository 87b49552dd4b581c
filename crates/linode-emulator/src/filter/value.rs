//! Values of records: where they are, and how they compare.

use crate::store::Body;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// What a record is sorted by, found once: numbers by size, everything else by its text, and what is
/// missing before both.
pub(super) enum SortKey<'a> {
    Missing,
    Number(f64),
    Text(Cow<'a, str>),
}

impl<'a> SortKey<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Missing,
            Value::Number(number) => Self::Number(number.as_f64().unwrap_or_default()),
            value => Self::Text(plain(value)),
        }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Missing, Self::Missing) => Ordering::Equal,
            (Self::Missing, _) => Ordering::Less,
            (_, Self::Missing) => Ordering::Greater,
            (Self::Number(left), Self::Number(right)) => left.total_cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

/// Whatever the case of ASCII letters.
pub(super) fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Numbers may come as text, as they do in headers that were put together by hand.
pub(super) fn is(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::String(found), Value::String(wanted)) => found == wanted,
        (Value::Null, other) | (other, Value::Null) => other.is_null(),
        _ => found == wanted || plain(found) == plain(wanted),
    }
}

pub(super) fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Calls `look` with everything at a path like `entity.id`, through lists too, until it says true; was
/// that ever? It is not called when there is no such field.
pub(super) fn any(body: &Body, path: &str, look: &mut impl FnMut(&Value) -> bool) -> bool {
    if let Some(value) = body.get(path) {
        return match value {
            Value::Array(list) if list.is_empty() => look(&Value::Null),
            Value::Array(list) => list.iter().any(look),
            value => look(value),
        };
    }
    let Some((first, rest)) = path.split_once('.') else { return false };
    match body.get(first) {
        Some(Value::Object(inner)) => any(inner, rest, look),
        Some(Value::Array(list)) => {
            let mut inner = list.iter().filter_map(Value::as_object);
            inner.any(|inner| any(inner, rest, look))
        }
        Some(Value::Null) => look(&Value::Null),
        _ => false,
    }
}

pub(super) fn exists(body: &Body, path: &str) -> bool {
    any(body, path, &mut |_| true)
}

/// The first thing at a path.
pub(super) fn first<'a>(body: &'a Body, path: &str) -> Option<&'a Value> {
    if let Some(value) = body.get(path) {
        return match value {
            Value::Array(list) => list.first(),
            value => Some(value),
        };
    }
    let (head, rest) = path.split_once('.')?;
    match body.get(head)? {
        Value::Object(inner) => first(inner, rest),
        Value::Array(list) => {
            list.iter().filter_map(Value::as_object).find_map(|inner| first(inner, rest))
        }
        _ => None,
    }
}
