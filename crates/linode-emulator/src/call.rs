//! A request as a family's handler sees it, and a page of a list as the answer to one.

use crate::error::Errors;
use crate::filter::Filter;
use crate::store::{Body, Record, State};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Records of a page (API v4, "Pagination"): 100 unless asked for, 25 to 500.
const PAGE_SIZE: usize = 100;
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 25..=500;

#[derive(Debug, Default)]
pub(crate) struct Call {
    /// The variable parts of the path, in their order.
    pub path: Vec<String>,
    pub query: HashMap<String, String>,
    pub filter: Filter,
    pub body: Body,
}

impl Call {
    /// A variable part that is an id.
    ///
    /// # Errors
    /// It is none: nothing has it.
    pub(crate) fn id(&self, part: usize) -> Result<u64, Errors> {
        self.text(part).parse().map_err(|_| Errors::not_found())
    }

    pub(crate) fn text(&self, part: usize) -> &str {
        self.path.get(part).map_or("", String::as_str)
    }

    /// The page that is asked for, of what the filter takes.
    ///
    /// # Errors
    /// The filter or the page is no such thing.
    pub(crate) fn page<'a>(
        &self,
        records: impl Iterator<Item = &'a Arc<Record>> + Clone,
        show: impl Fn(&Record) -> Value,
    ) -> Result<Value, Errors> {
        let (page, size) = self.wanted()?;
        self.filter.check_fields(records.clone().map(|r| &r.body))?;
        let taken: Vec<&Arc<Record>> = records.filter(|r| self.filter.takes(&r.body)).collect();
        let taken = self.filter.sorted(taken, |r| &r.body, |r| r.id);
        let shown = taken.iter().skip((page - 1).saturating_mul(size)).take(size);
        let data: Vec<Value> = shown.map(|r| show(r)).collect();
        Ok(page_of(data, page, taken.len(), size))
    }

    /// The same for things that are not records of their own.
    ///
    /// # Errors
    /// As [`Call::page`].
    pub(crate) fn page_of_values(
        &self,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Value, Errors> {
        let (page, size) = self.wanted()?;
        let bodies = values.into_iter().filter_map(|value| match value {
            Value::Object(body) => Some(body),
            _ => None,
        });
        let mut bodies: Vec<(u64, Body)> = (0..).zip(bodies).collect();
        self.filter.check_fields(bodies.iter().map(|(_, body)| body))?;
        bodies.retain(|(_, body)| self.filter.takes(body));
        let bodies = self.filter.sorted(bodies, |(_, body)| body, |(number, _)| *number);
        let results = bodies.len();
        let shown = bodies.into_iter().skip((page - 1).saturating_mul(size)).take(size);
        Ok(page_of(shown.map(|(_, body)| Value::Object(body)).collect(), page, results, size))
    }

    /// Page, counted from 1, and how much is on one.
    fn wanted(&self) -> Result<(usize, usize), Errors> {
        let number = |name: &str, default| match self.query.get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| Errors::field(name, "Must be an integer")),
        };
        let (page, size) = (number("page", 1)?, number("page_size", PAGE_SIZE)?);
        if page == 0 {
            return Err(Errors::field("page", "Must be 1 or more"));
        }
        if !PAGE_SIZES.contains(&size) {
            return Err(Errors::field("page_size", "Must be 25-500"));
        }
        Ok((page, size))
    }
}

/// A page beyond the last one is empty and no error: the provider asks for page 100 of the types.
fn page_of(data: Vec<Value>, page: usize, results: usize, size: usize) -> Value {
    json!({"data": data, "page": page, "pages": results.div_ceil(size).max(1), "results": results})
}

/// What the API shows of a record that needs nothing else.
pub(crate) fn plain(record: &Record) -> Value {
    Value::Object(record.body.clone())
}

/// A handler that only reads.
pub(crate) type Read = fn(&State, &Call) -> Result<Value, Errors>;
