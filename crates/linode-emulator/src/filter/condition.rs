//! What a filter asks of a record.

use super::value::{SortKey, any, contains, is, plain};
use crate::error::Errors;
use crate::store::Body;
use serde_json::{Map, Value};
use std::cmp::Ordering;

#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Field { path: String, test: Test, value: Value },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Is,
    IsNot,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Contains,
}

/// Deeper than anybody writes one, and far from the end of the stack.
pub(super) const DEPTH: usize = 16;

pub(super) fn conditions(
    object: &Map<String, Value>,
    depth: usize,
) -> Result<Vec<Condition>, Errors> {
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
    pub(super) fn holds(&self, body: &Body) -> bool {
        match self {
            Self::All(list) => list.iter().all(|c| c.holds(body)),
            // Clients send an empty list when they have no alternatives.
            Self::Any(list) => list.is_empty() || list.iter().any(|c| c.holds(body)),
            Self::Field { path, test, value } => match test {
                Test::IsNot => !any(body, path, &mut |v| is(v, value)),
                Test::Is if value.is_null() => !any(body, path, &mut |v| !v.is_null()),
                _ => any(body, path, &mut |v| test.holds(v, value)),
            },
        }
    }

    pub(super) fn paths<'a>(&'a self, into: &mut Vec<&'a str>) {
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
