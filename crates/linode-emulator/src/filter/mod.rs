//! `X-Filter`: which records of a list are wanted, and in which order.

mod condition;
mod value;

use crate::error::Errors;
use crate::store::Body;
use condition::{Condition, DEPTH, conditions};
use serde_json::Value;
use value::{SortKey, exists, first};

/// A filter that was understood. The default takes everything, by id.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    condition: Vec<Condition>,
    order_by: Option<String>,
    descending: bool,
}

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
            if !bodies.clone().any(|body| exists(body, path)) {
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
            let key = first(body(record), field).map_or(SortKey::Missing, SortKey::of);
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

#[cfg(test)]
mod tests;
