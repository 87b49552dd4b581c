//! The TOML tree with the place of everything in it.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

/// A value, where it is, and where its key is.
#[derive(Clone)]
pub(super) struct Field<'t> {
    pub(super) value: &'t DeValue<'t>,
    pub(super) path: String,
    pub(super) key_span: Range<usize>,
    pub(super) span: Range<usize>,
}

/// A table with the place to point at when it lacks something.
#[derive(Clone)]
pub(super) struct Table<'t> {
    table: &'t DeTable<'t>,
    pub(super) path: String,
    pub(super) span: Range<usize>,
}

/// What a finding points at.
pub(super) struct At<'p> {
    pub(super) path: &'p str,
    pub(super) span: &'p Range<usize>,
}

impl<'t> Field<'t> {
    /// The value.
    pub(super) fn at(&self) -> At<'_> {
        At { path: &self.path, span: &self.span }
    }

    /// The key.
    pub(super) fn at_key(&self) -> At<'_> {
        At { path: &self.path, span: &self.key_span }
    }

    /// The field of this name, when this is a table that has one.
    pub(super) fn child(&self, key: &str) -> Option<Self> {
        let table = self.value.as_table()?;
        Table { table, path: self.path.clone(), span: self.span.clone() }.get(key)
    }

    /// The last part of the path, as it is written in the tree.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }
}

impl<'t> Table<'t> {
    pub(super) fn new(table: &'t DeTable<'t>, path: String, span: Range<usize>) -> Self {
        Self { table, path, span }
    }

    pub(super) fn root(table: &'t DeTable<'t>) -> Self {
        Self { table, path: String::new(), span: 0..0 }
    }

    pub(super) fn at(&self) -> At<'_> {
        At { path: &self.path, span: &self.span }
    }

    pub(super) fn get(&self, key: &str) -> Option<Field<'t>> {
        self.table.get_key_value(key).map(|(key, value)| self.field(key, value))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Entries in the order of the file.
    pub(super) fn fields_in_order(&self) -> Vec<(&'t str, Field<'t>)> {
        let entries = self.table.iter();
        let mut fields: Vec<_> =
            entries.map(|(key, value)| (key.get_ref().as_ref(), self.field(key, value))).collect();
        fields.sort_by_key(|(_, field)| field.key_span.start);
        fields
    }

    fn field(&self, key: &'t Spanned<DeString<'t>>, value: &'t Spanned<DeValue<'t>>) -> Field<'t> {
        Field {
            value: value.get_ref(),
            path: self.path_of(key.get_ref()),
            key_span: key.span(),
            span: value.span(),
        }
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

pub(super) fn items<'t>(array: &'t DeArray<'t>, path: &str) -> Vec<Field<'t>> {
    array
        .iter()
        .enumerate()
        .map(|(index, item)| Field {
            value: item.get_ref(),
            path: format!("{path}[{index}]"),
            key_span: item.span(),
            span: item.span(),
        })
        .collect()
}
