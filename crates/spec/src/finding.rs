//! What is wrong with an `andamio.toml`, and where.

use crate::model::Spec;
use serde::Serialize;
use std::ops::Range;

/// What [`crate::parse`] found. `spec` is there exactly when no finding is an error.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub spec: Option<Spec>,
    /// In the order of the file.
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
    Note,
}

/// One thing to know about the file; serializes in the form of the contract's `check`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Stable, kebab-case.
    pub code: &'static str,
    pub severity: Severity,
    pub message: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Dotted path, for example `environments.dev.app.size`; empty for the whole file.
    pub key: String,
    /// What to do; empty when the message says it all.
    pub help: String,
    pub file: String,
    /// Byte offset in the text.
    #[serde(skip)]
    pub offset: usize,
    /// Bytes.
    #[serde(skip)]
    pub length: usize,
}

impl Finding {
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// `FILE:LINE:COLUMN: SEVERITY: MESSAGE [CODE]`, the form editors jump to.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, line, column, severity, message, code, .. } = self;
        write!(f, "{file}:{line}:{column}: {severity}: {message} [{code}]")
    }
}

/// Turns byte offsets into lines and columns.
pub(crate) struct Lines<'a> {
    text: &'a str,
    /// Offset of the first byte of each line.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut starts = vec![0];
        starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
        Self { text, starts }
    }

    /// Line and column, both from 1; an offset inside a character or past the end is moved back.
    pub(crate) fn locate(&self, offset: usize) -> (usize, usize) {
        let offset = self.clamp(offset);
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }

    /// A span that lies on character boundaries of the text.
    pub(crate) fn span(&self, range: &Range<usize>) -> (usize, usize) {
        let start = self.clamp(range.start);
        let end = self.clamp(range.end.max(start));
        (start, end - start)
    }

    pub(crate) fn whole(&self) -> &'a str {
        self.text
    }

    pub(crate) fn text(&self, range: &Range<usize>) -> &'a str {
        let (start, length) = self.span(range);
        self.text.get(start..start + length).unwrap_or_default()
    }

    fn clamp(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}
