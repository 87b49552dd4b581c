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

/// Everything at a path like `entity.id`, through lists too. Empty when there is no such field.
pub(super) fn values<'a>(body: &'a Body, path: &str) -> Vec<&'a Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(f, r)| (f, Some(r)));
    let Some(value) = body.get(first) else { return Vec::new() };
    match (value, rest) {
        (Value::Array(list), None) if list.is_empty() => vec![&Value::Null],
        (Value::Array(list), None) => list.iter().collect(),
        (value, None) => vec![value],
        (Value::Object(inner), Some(rest)) => values(inner, rest),
        (Value::Array(list), Some(rest)) => {
            let inner = list.iter().filter_map(Value::as_object);
            inner.flat_map(|inner| values(inner, rest)).collect()
        }
        (Value::Null, Some(_)) => vec![&Value::Null],
        _ => Vec::new(),
    }
}
