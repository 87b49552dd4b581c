//! Typed access to the TOML tree that reports what it does not find.

use super::tree::items;
pub(super) use super::tree::{At, Field, Table};
use super::{hidden, syntax};
use crate::finding::{Finding, Lines, Severity};
use crate::names::suggest;
use std::ops::RangeInclusive;
use toml::de::DeValue;

/// Findings beyond this many are counted, not listed: a file of garbage is told once.
const MAX_FINDINGS: usize = 100;

/// Collects findings about one file.
pub(super) struct Reader<'a> {
    file: &'a str,
    lines: Lines<'a>,
    findings: Vec<Finding>,
    unlisted: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, lines: Lines::new(text), findings: Vec::new(), unlisted: 0 }
    }

    pub(super) fn report(
        &mut self,
        severity: Severity,
        code: &'static str,
        at: At<'_>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.findings.len() >= MAX_FINDINGS {
            self.unlisted += 1;
            return;
        }
        let (offset, length) = self.lines.span(at.span);
        let (line, column) = self.lines.locate(offset);
        self.findings.push(Finding {
            code,
            severity,
            message: hidden::shown(&message.into()),
            line,
            column,
            key: hidden::shown(at.path),
            help: hidden::shown(&help.into()),
            file: self.file.to_owned(),
            offset,
            length,
        });
    }

    pub(super) fn error(
        &mut self,
        code: &'static str,
        at: At<'_>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report(Severity::Error, code, at, message, help);
    }

    pub(super) fn syntax_error(&mut self, error: &toml::de::Error) {
        let message = error.message().replace('\n', ", ");
        if message.contains("duplicate key") {
            let span = error.span().unwrap_or(0..0);
            let at = At { path: self.lines.text(&span), span: &span };
            let help = "keep one of the two";
            return self.error("duplicate-key", at, "this key is here a second time", help);
        }
        let explained = syntax::explain(self.lines.whole(), error.span(), &message);
        let at = At { path: "", span: &explained.span };
        self.error("syntax", at, explained.message, explained.help);
    }

    /// Findings in the order of the file, the first of equals being the first reported.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        if self.unlisted > 0 {
            let message = format!("{} more findings are not listed", self.unlisted);
            let (line, column) = self.lines.locate(usize::MAX);
            self.findings.push(Finding {
                code: "too-many",
                severity: Severity::Error,
                message,
                line,
                column,
                key: String::new(),
                help: "correct the first ones and check again".to_owned(),
                file: self.file.to_owned(),
                offset: usize::MAX,
                length: 0,
            });
        }
        self.findings.sort_by_key(|finding| finding.offset);
        for finding in &mut self.findings {
            (finding.offset, _) = self.lines.span(&(finding.offset..finding.offset));
        }
        self.findings
    }

    /// Reports each key of the table that is not one of `known`.
    pub(super) fn known(&mut self, table: &Table<'_>, known: &[&str]) {
        self.known_but(table, known, &[]);
    }

    /// The same; keys that people look for here, with what to do instead.
    pub(super) fn known_but(
        &mut self,
        table: &Table<'_>,
        known: &[&str],
        instead: &[(&str, &str)],
    ) {
        for (name, field) in table.fields_in_order() {
            if let Some((_, help)) = instead.iter().find(|(key, _)| *key == name) {
                let message = format!("no key `{name}` here");
                self.error("unknown-key", field.at_key(), message, *help);
            } else if !known.contains(&name) {
                self.unknown(
                    "unknown-key",
                    field.at_key(),
                    &format!("no key `{name}` here"),
                    name,
                    known,
                );
            }
        }
    }

    /// An unknown name, with the one that was probably meant, or all of them.
    pub(super) fn unknown(
        &mut self,
        code: &'static str,
        at: At<'_>,
        message: &str,
        name: &str,
        known: &[&str],
    ) {
        // Names of the user's own can be any number, and nobody reads more.
        let known = known.get(..50).unwrap_or(known);
        let help = match suggest(name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("possible: {}", known.join(", ")),
        };
        self.error(code, at, message, help);
    }

    pub(super) fn missing(&mut self, table: &Table<'_>, key: &str, help: &str) {
        let message = if table.path.is_empty() {
            format!("`{key}` is missing")
        } else {
            format!("`{key}` is missing in `{}`", table.path)
        };
        let path = table.path_of(key);
        self.error("missing-key", At { path: &path, span: &table.span }, message, help);
    }

    pub(super) fn wrong_type(&mut self, field: &Field<'_>, wanted: &str, help: &str) {
        let found = field.value.type_str();
        let article = |word: &str| if word.starts_with(['a', 'i']) { "an" } else { "a" };
        let message = format!(
            "`{}` wants {} {wanted} and has {} {found}",
            field.name(),
            article(wanted),
            article(found)
        );
        self.error("wrong-type", field.at(), message, help);
    }

    pub(super) fn table<'t>(&mut self, field: &Field<'t>, help: &str) -> Option<Table<'t>> {
        match field.value {
            DeValue::Table(table) => {
                // An implicit table (`[a.b]` declares `a`) has no text of its own but its key.
                let span = if field.span.is_empty() { &field.key_span } else { &field.span };
                Some(Table::new(table, field.path.clone(), span.clone()))
            }
            _ => {
                let double = format!("write it in single brackets: [{}]", field.path);
                let nested = field.path.contains('.') && self.is_double_header(field);
                let help = if nested { double.as_str() } else { help };
                self.wrong_type(field, "table", help);
                None
            }
        }
    }

    /// `[[name]]`, which begins a line, and not `name = [[…]]`.
    fn is_double_header(&self, field: &Field<'_>) -> bool {
        let start = field.span.start;
        let before = self.lines.text(&(start.saturating_sub(1)..start));
        matches!(before, "" | "\n") && self.lines.text(&field.span).starts_with("[[")
    }

    /// A string that is not blank.
    pub(super) fn string<'t>(&mut self, field: &Field<'t>) -> Option<&'t str> {
        let Some(text) = field.value.as_str() else {
            let scalar = !matches!(field.value, DeValue::Table(_) | DeValue::Array(_));
            let help =
                if scalar { "write it in quotes" } else { "write one text in quotes: \"…\"" };
            self.wrong_type(field, "string", help);
            return None;
        };
        if text.trim().is_empty() {
            let message = format!("`{}` is empty", field.name());
            self.error("empty", field.at(), message, "write a value or leave the key out");
            return None;
        }
        if let Some(c) = hidden::in_value(text) {
            // One that is in the file as it is has been reported there.
            if !self.lines.text(&field.span).contains(c) {
                let message = format!("`{}` has {} in it", field.name(), hidden::named(c));
                let help = "leave out the escape that writes it";
                self.error("hidden-character", field.at(), message, help);
            }
            return None;
        }
        Some(text)
    }

    pub(super) fn boolean(&mut self, field: &Field<'_>) -> Option<bool> {
        let value = field.value.as_bool();
        if value.is_none() {
            self.wrong_type(field, "boolean", "write true or false without quotes");
        }
        value
    }

    pub(super) fn integer(&mut self, field: &Field<'_>, range: RangeInclusive<i64>) -> Option<i64> {
        let Some(integer) = field.value.as_integer() else {
            self.wrong_type(field, "integer", "write a whole number without quotes");
            return None;
        };
        let value = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        if let Some(value) = value.filter(|value| range.contains(value)) {
            return Some(value);
        }
        let (low, high) = (range.start(), range.end());
        let message = format!("`{}` is {integer}; it can be {low} to {high}", field.name());
        self.error("out-of-range", field.at(), message, "write a number in this range");
        None
    }

    pub(super) fn array<'t>(&mut self, field: &Field<'t>, help: &str) -> Vec<Field<'t>> {
        let DeValue::Array(array) = field.value else {
            self.wrong_type(field, "array", help);
            return Vec::new();
        };
        items(array, &field.path)
    }

    /// An array of strings that are not blank; the others are reported and left out.
    pub(super) fn strings<'t>(&mut self, field: &Field<'t>) -> Vec<(&'t str, Field<'t>)> {
        let items = self.array(field, "write an array of strings, for example [\"one\", \"two\"]");
        items.into_iter().filter_map(|item| self.string(&item).map(|text| (text, item))).collect()
    }
}
