//! What is wrong with a text that is not TOML, for people: the parser says which rule was broken, this
//! says what was probably meant.

use super::hidden;
use std::ops::Range;

/// The parser's own limit; nothing in andamio.toml is deeper than five.
const DEEPEST: usize = 80;

/// Message, help, and the place to point at.
pub(super) struct Explained {
    pub(super) message: String,
    pub(super) help: String,
    pub(super) span: Range<usize>,
}

/// Rules of the parser (the beginning of its message) that say the same wherever they are broken.
const RULES: &[(&str, &str, &str)] = &[
    (
        "carriage return",
        "a carriage return without a newline ends no line",
        "save the file with line ends of Unix (LF) or Windows (CRLF)",
    ),
    ("cannot recurse", TOO_DEEP, FLAT),
    ("recursion limit", TOO_DEEP, FLAT),
    ("unclosed table", "the header is not closed", "write `]` after the name"),
    ("unclosed array table", "the header is not closed", "write `]]` after the name"),
    ("unclosed array", OPEN_ARRAY, "write `]` after its last element"),
    ("unexpected `=` in array", OPEN_ARRAY, "write `]` after its last element"),
    ("unclosed inline table", OPEN_BRACE, "write `}` after its last value"),
    ("missing key for inline table", OPEN_BRACE, "write `}` after its last value"),
    ("missing comma", "a comma is missing before this", "write one between two values"),
    ("extra comma", "here is a comma too many", "delete it"),
    ("extra `=`", "here is a `=` too many", "delete it"),
    ("extra assignment", "here is a `=` too many", "delete it"),
    (
        "missing escaped value",
        "a backslash begins an escape, and this is none",
        "write `\\\\` for a backslash, or the text in single quotes",
    ),
    (
        "unexpected leading zero",
        "a number does not begin with 0",
        "delete the zeros in front of it",
    ),
    ("`_` may only", "`_` is only between two digits of a number", "delete it"),
    (
        "cannot extend value",
        "the name before this is a value already and no table",
        "delete that value, or give this table another name",
    ),
    (
        "invalid boolean",
        "this is no value",
        "write true or false in small letters; text needs quotes",
    ),
];

const TOO_DEEP: &str = "this is nested too deeply";
const FLAT: &str =
    "andamio.toml has tables in tables only a few levels deep: is this the right file?";
const OPEN_ARRAY: &str = "the array before this is not closed";
const OPEN_BRACE: &str = "the `{` before this is not closed";

/// Explains the parser's message about the place.
pub(super) fn explain(text: &str, span: Option<Range<usize>>, message: &str) -> Explained {
    let span = span.unwrap_or_else(|| deepest(text));
    let at = boundary(text, span.start);
    if let Some((span, help)) = unclosed(text, at, message) {
        let message = "not TOML: the text that begins here is not closed".to_owned();
        return Explained { message, help: help.to_owned(), span };
    }
    let (message, help) = meant(text, at, message)
        .or_else(|| rule(message))
        .unwrap_or_else(|| (message.to_owned(), "correct this and check again".to_owned()));
    Explained { message: format!("not TOML: {message}"), help, span }
}

fn rule(message: &str) -> Option<(String, String)> {
    let found = RULES.iter().find(|(rule, ..)| message.starts_with(rule));
    if let Some((_, message, help)) = found {
        return Some(((*message).to_owned(), (*help).to_owned()));
    }
    let (problem, expected) = message.split_once(", expected ")?;
    let dated = ["date", "time", "offset"].iter().any(|word| problem.contains(word));
    dated.then(|| {
        let message = format!("there is no such date or time: {expected} was expected");
        (message, "correct it; a text needs quotes".to_owned())
    })
}

/// What the text around the place shows.
fn meant(text: &str, at: usize, message: &str) -> Option<(String, String)> {
    let (head, rest) = text.split_at(at);
    let before = head.rsplit('\n').next().unwrap_or_default();
    let rest = rest.split('\n').next().unwrap_or_default();
    let line = format!("{before}{rest}");
    let (line, ends) = (line.trim(), rest.trim().is_empty() || rest.trim().starts_with('#'));
    let say = |message: &str, help: &str| Some((message.to_owned(), help.to_owned()));
    if ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|marker| line.starts_with(marker)) {
        return say(
            "here is a mark of an unfinished merge",
            "keep one of the two sides and delete the lines with the marks",
        );
    }
    if head.trim().is_empty() && rest.starts_with('{') {
        return say(
            "this looks like JSON",
            "write [project] and name = \"…\" below it, without braces",
        );
    }
    if let Some(c) = rest.chars().next().filter(|c| c.is_control() && !matches!(c, '\t' | '\r')) {
        return say(&format!("here is a control character: {}", hidden::named(c)), "delete it");
    }
    if message.starts_with("key with no value") || message.starts_with("missing assignment") {
        if before.trim_end().ends_with(':') {
            return say(
                "TOML has `=` where this has `:`",
                "write NAME = VALUE, and [NAME] above a group",
            );
        }
        return say("the key has no `=`", "write NAME = VALUE, or delete the line");
    }
    if before.trim_end().ends_with('=') && (ends || rest.starts_with(['}', ']', ','])) {
        return say("a value is missing after `=`", "write one, or delete the key");
    }
    if message.starts_with("string values must be quoted") {
        let word = rest.split([' ', '\t', ',', '}', ']', '#', '=']).next().unwrap_or_default();
        if word.starts_with(['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '\u{ab}'])
        {
            return say("these quotes are typographic ones", "write plain ones: \"…\"");
        }
        return say(&format!("the text `{word}` has no quotes"), "write it in quotes: \"…\"");
    }
    if message.starts_with("unexpected key or value") || message.starts_with("unexpected content") {
        return if rest.starts_with("//") {
            say("`//` begins no comment", "begin comments with `#`")
        } else if rest.starts_with(';') {
            say("a line has no `;` at its end", "delete it")
        } else if line.starts_with('[') {
            say("something follows the header", "leave the header alone on its line")
        } else {
            say("something follows the value", "begin a line for it")
        };
    }
    if message.starts_with("unquoted keys cannot be empty") {
        return if line.starts_with('[') {
            say("the header lacks a name", "write [NAME] or [NAME.NAME]")
        } else {
            say("there is no key before `=`", "write NAME = VALUE, or delete the line")
        };
    }
    if message.starts_with("invalid unquoted key") {
        let c = rest.chars().next()?;
        let message = format!("`{c}` cannot be in a name without quotes: {}", hidden::named(c));
        return say(&message, "use letters, digits, `-` and `_`");
    }
    None
}

/// The quotes that begin a text without an end; the parser points at where it gave up.
fn unclosed(text: &str, at: usize, message: &str) -> Option<(Range<usize>, &'static str)> {
    let (head, rest) = text.split_at(at);
    let quotes = match message {
        m if m.starts_with("invalid multi-line basic string") => "\"\"\"",
        m if m.starts_with("invalid multi-line literal string") => "'''",
        m if m.starts_with("invalid basic string") => "\"",
        m if m.starts_with("invalid literal string") => "'",
        _ => return None,
    };
    let ended = if quotes.len() == 3 {
        rest.is_empty()
    } else {
        rest.is_empty() || rest.starts_with(['\n', '\r'])
    };
    let line = if quotes.len() == 3 { 0 } else { head.rfind('\n').map_or(0, |at| at + 1) };
    let start = line + head.get(line..)?.rfind(quotes)?;
    let help = if quotes.len() == 3 {
        "close it with three quotes"
    } else {
        "close it with a quote on the same line"
    };
    ended.then_some((start..start + quotes.len(), help))
}

/// The parser does not say where names have too many parts.
fn deepest(text: &str) -> Range<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.matches('.').count() >= DEEPEST {
            return start..start + line.trim_end().len();
        }
        start += line.len();
    }
    0..0
}

fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
