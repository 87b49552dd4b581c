//! `X-Filter`: which records of a list are wanted, and in which order.

use crate::error::Errors;
use crate::store::Body;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A filter that was understood. The default takes everything, by id.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    condition: Vec<Condition>,
    order_by: Option<String>,
    descending: bool,
}

#[derive(Debug)]
enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Field { path: String, test: Test, value: Value },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Is,
    IsNot,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Contains,
}

/// Deeper than anybody writes one, and far from the end of the stack.
const DEPTH: usize = 16;

impl Filter {
    /// # Errors
    /// It is not a JSON object, or has an operator that is not known.
    pub(crate) fn parse(header: &str) -> Result<Self, Errors> {
        let Ok(Value::Object(mut object)) = serde_json::from_str(header) else {
            return Err(Errors::field("X-Filter", "Must be a JSON object"));
        };
        let order_by = match object.remove("+order_by") {
            None => None,
            Some(Value::String(field)) => Some(field),
            Some(_) => return Err(Errors::field("+order_by", "Must be a string")),
        };
        let descending = match object.remove("+order").as_ref().map(Value::as_str) {
            None | Some(Some("asc")) => false,
            Some(Some("desc")) => true,
            Some(_) => return Err(Errors::field("+order", "Must be asc or desc")),
        };
        Ok(Self { condition: conditions(&object, DEPTH)?, order_by, descending })
    }

    pub(crate) fn takes(&self, body: &Body) -> bool {
        self.condition.iter().all(|condition| condition.holds(body))
    }

    /// A field that none of these has: asking for it is a mistake, not an empty answer.
    ///
    /// # Errors
    /// There is one.
    pub(crate) fn check_fields<'a>(
        &self,
        bodies: impl Iterator<Item = &'a Body> + Clone,
    ) -> Result<(), Errors> {
        if bodies.clone().next().is_none() {
            return Ok(());
        }
        let mut paths = Vec::new();
        for condition in &self.condition {
            condition.paths(&mut paths);
        }
        paths.extend(self.order_by.as_deref());
        for path in paths {
            if !bodies.clone().any(|body| !values(body, path).is_empty()) {
                return Err(Errors::field(path, format!("Cannot filter on {path}")));
            }
        }
        Ok(())
    }

    /// In the order that is asked for. Equal ones by id, in the same direction: of two events of one
    /// second the newer one is first when the newest is.
    pub(crate) fn sorted<T: Clone>(
        &self,
        records: Vec<T>,
        body: impl Fn(&T) -> &Body,
        id: impl Fn(&T) -> u64,
    ) -> Vec<T> {
        let Some(field) = &self.order_by else {
            return if self.descending { records.into_iter().rev().collect() } else { records };
        };
        let keyed = records.iter().enumerate().map(|(at, record)| {
            let key =
                values(body(record), field).first().map_or(SortKey::Missing, |v| SortKey::of(v));
            (key, id(record), at)
        });
        let mut keyed: Vec<(SortKey<'_>, u64, usize)> = keyed.collect();
        keyed.sort_by(|a, b| {
            let order = a.0.compare(&b.0).then_with(|| a.1.cmp(&b.1));
            if self.descending { order.reverse() } else { order }
        });
        keyed.iter().filter_map(|(_, _, at)| records.get(*at).cloned()).collect()
    }
}

/// What a record is sorted by, found once: numbers by size, everything else by its text, and what is
/// missing before both.
enum SortKey<'a> {
    Missing,
    Number(f64),
    Text(Cow<'a, str>),
}

impl<'a> SortKey<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Missing,
            Value::Number(number) => Self::Number(number.as_f64().unwrap_or_default()),
            value => Self::Text(plain(value)),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
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

fn conditions(object: &Map<String, Value>, depth: usize) -> Result<Vec<Condition>, Errors> {
    let deeper = depth.checked_sub(1).ok_or_else(|| Errors::bad("The filter is too deep"))?;
    let mut all = Vec::new();
    for (key, value) in object {
        match (key.as_str(), value) {
            ("+and", Value::Array(list)) => all.push(Condition::All(alternatives(list, deeper)?)),
            ("+or", Value::Array(list)) => all.push(Condition::Any(alternatives(list, deeper)?)),
            (operator, _) if operator.starts_with('+') => {
                return Err(Errors::field(operator, "Unknown operator, or not a list"));
            }
            (path, Value::Object(tests)) => {
                for (operator, value) in tests {
                    let (path, value) = (path.to_owned(), value.clone());
                    all.push(Condition::Field { path, test: Test::parse(operator)?, value });
                }
            }
            (path, value) => {
                let (path, value) = (path.to_owned(), value.clone());
                all.push(Condition::Field { path, test: Test::Is, value });
            }
        }
    }
    Ok(all)
}

fn alternatives(list: &[Value], depth: usize) -> Result<Vec<Condition>, Errors> {
    let each = |value: &Value| match value {
        Value::Object(object) => Ok(Condition::All(conditions(object, depth)?)),
        _ => Err(Errors::field("X-Filter", "Must be a list of objects")),
    };
    list.iter().map(each).collect()
}

impl Test {
    fn parse(operator: &str) -> Result<Self, Errors> {
        Ok(match operator {
            "+neq" => Self::IsNot,
            "+gt" => Self::Greater,
            "+gte" => Self::GreaterOrEqual,
            "+lt" => Self::Less,
            "+lte" => Self::LessOrEqual,
            "+contains" => Self::Contains,
            _ => return Err(Errors::field(operator, "Unknown operator")),
        })
    }
}

impl Condition {
    fn holds(&self, body: &Body) -> bool {
        match self {
            Self::All(list) => list.iter().all(|c| c.holds(body)),
            // Clients send an empty list when they have no alternatives.
            Self::Any(list) => list.is_empty() || list.iter().any(|c| c.holds(body)),
            Self::Field { path, test, value } => {
                let found = values(body, path);
                match test {
                    Test::IsNot => !found.iter().any(|v| is(v, value)),
                    Test::Is if value.is_null() => found.iter().all(|v| v.is_null()),
                    _ => found.iter().any(|v| test.holds(v, value)),
                }
            }
        }
    }

    fn paths<'a>(&'a self, into: &mut Vec<&'a str>) {
        match self {
            Self::All(list) | Self::Any(list) => list.iter().for_each(|c| c.paths(into)),
            Self::Field { path, .. } => into.push(path),
        }
    }
}

impl Test {
    fn holds(self, found: &Value, wanted: &Value) -> bool {
        let order = || SortKey::of(found).compare(&SortKey::of(wanted));
        match self {
            Self::Is => is(found, wanted),
            Self::IsNot => !is(found, wanted),
            Self::Greater => order() == Ordering::Greater,
            Self::GreaterOrEqual => order() != Ordering::Less,
            Self::Less => order() == Ordering::Less,
            Self::LessOrEqual => order() != Ordering::Greater,
            Self::Contains => contains(&plain(found), &plain(wanted)),
        }
    }
}

/// Whatever the case of ASCII letters.
fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Numbers may come as text, as they do in headers that were put together by hand.
fn is(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::String(found), Value::String(wanted)) => found == wanted,
        (Value::Null, other) | (other, Value::Null) => other.is_null(),
        _ => found == wanted || plain(found) == plain(wanted),
    }
}

fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// Everything at a path like `entity.id`, through lists too. Empty when there is no such field.
fn values<'a>(body: &'a Body, path: &str) -> Vec<&'a Value> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bodies() -> Vec<(u64, Body)> {
        let all = json!([
            {"id": 1, "label": "web-1", "tags": ["a"], "entity": {"id": 7}, "size": 10, "at": "2026-01-01T00:00:00"},
            {"id": 2, "label": "web-2", "tags": ["a", "b"], "entity": {"id": 8}, "size": 20, "at": "2026-01-01T00:00:00"},
            {"id": 3, "label": "db", "tags": [], "entity": null, "size": 9, "at": "2026-01-02T00:00:00"},
        ]);
        let all = all.as_array().unwrap().iter().enumerate();
        all.map(|(n, b)| (n as u64 + 1, b.as_object().unwrap().clone())).collect()
    }

    fn taken(filter: &str) -> Vec<u64> {
        let filter = Filter::parse(filter).unwrap();
        let found: Vec<_> = bodies().into_iter().filter(|(_, b)| filter.takes(b)).collect();
        let found = filter.sorted(found, |r| &r.1, |r| r.0);
        found.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn fields_operators_and_their_combinations() {
        for (filter, ids) in [
            (r"{}", &[1, 2, 3][..]),
            (r#"{"label": "db"}"#, &[3]),
            (r#"{"label": {"+contains": "WEB"}}"#, &[1, 2]),
            (r#"{"label": {"+neq": "db"}}"#, &[1, 2]),
            (r#"{"size": {"+gt": 9, "+lte": 20}}"#, &[1, 2]),
            (r#"{"size": {"+gte": 10, "+lt": 20}}"#, &[1]),
            (r#"{"tags": "b"}"#, &[2]),
            (r#"{"tags": {"+neq": "b"}}"#, &[1, 3]),
            (r#"{"entity.id": 8}"#, &[2]),
            (r#"{"entity.id": "8"}"#, &[2]),
            (r#"{"+or": [{"size": 20}, {"label": "db"}]}"#, &[2, 3]),
            (r#"{"+or": []}"#, &[1, 2, 3]),
            (r#"{"+and": [{"tags": "a"}, {"+or": [{"size": 10}, {"size": 9}]}]}"#, &[1]),
            (r#"{"at": {"+gte": "2026-01-02"}}"#, &[3]),
            (r#"{"+order_by": "size"}"#, &[3, 1, 2]),
            (r#"{"+order_by": "at", "+order": "desc"}"#, &[3, 2, 1]),
        ] {
            assert_eq!(taken(filter), ids, "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let nested = format!("{}{}", r#"{"+and":["#.repeat(40), "{}".to_owned() + &"]}".repeat(40));
        for text in
            ["", "[]", r#"{"+what": []}"#, r#"{"a": {"+near": 1}}"#, r#"{"+order": "up"}"#, &nested]
        {
            assert_eq!(Filter::parse(text).unwrap_err().status, 400, "{text}");
        }
    }

    #[test]
    fn a_field_that_nothing_has_is_a_mistake() {
        let all = bodies();
        let check =
            |text: &str| Filter::parse(text).unwrap().check_fields(all.iter().map(|(_, b)| b));
        assert!(check(r#"{"entity.id": 1, "label": "x"}"#).is_ok());
        let error = check(r#"{"lable": "x"}"#).unwrap_err();
        assert_eq!(error.to_json()["errors"][0]["reason"], "Cannot filter on lable");
        assert!(check(r#"{"+order_by": "nothing"}"#).is_err());
        assert!(Filter::parse(r#"{"x": 1}"#).unwrap().check_fields(std::iter::empty()).is_ok());
    }
}
