//! Characters that nobody sees. In a file they make it read differently from what it says; in a
//! message they would do that to the message.

use super::reader::{At, Reader};

/// Longest message, in characters: what a file holds is repeated, but not by the page.
const LONGEST: usize = 300;
/// Of one piece of the file in it.
const LONGEST_QUOTE: usize = 60;

/// Without width, or turning the direction of writing (Unicode Standard Annex #9; general category
/// Cf). The two joiners are not among them: writing needs them, also in a comment.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// What a value must not have in it.
pub(super) fn in_value(text: &str) -> Option<char> {
    text.chars().find(|&c| is_hidden(c) || (c.is_control() && !matches!(c, '\n' | '\t')))
}

/// Reports each of them that is in the text as it is; a byte order mark may begin it.
pub(super) fn check(reader: &mut Reader<'_>, text: &str) {
    for (offset, c) in text.char_indices().filter(|&(at, c)| is_hidden(c) && at > 0) {
        let span = offset..offset + c.len_utf8();
        let message = format!("here is a character that nobody sees: {}", named(c));
        let help = "delete it; with it the file says something else than it shows";
        reader.error("hidden-character", At { path: "", span: &span }, message, help);
    }
}

/// `U+202E (right-to-left override)`.
pub(super) fn named(c: char) -> String {
    let number = format!("U+{:04X}", u32::from(c));
    let name = match c {
        '\0' => "NUL",
        '\u{1b}' => "escape",
        '\u{ad}' => "soft hyphen",
        '\u{200b}' => "zero width space",
        '\u{200c}' => "zero width non-joiner",
        '\u{200d}' => "zero width joiner",
        '\u{200e}' => "left-to-right mark",
        '\u{200f}' => "right-to-left mark",
        '\u{202d}' => "left-to-right override",
        '\u{202e}' => "right-to-left override",
        '\u{2060}' => "word joiner",
        '\u{feff}' => "byte order mark",
        '\u{202a}'..='\u{202c}' | '\u{2066}'..='\u{2069}' => "turns the direction of writing",
        _ => return number,
    };
    format!("{number} ({name})")
}

/// A message as it can be shown: one line of bounded length, with a name for what nobody sees.
pub(super) fn shown(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for (number, part) in message.split('`').enumerate() {
        if number > 0 {
            out.push('`');
        }
        // What the file has is between two of them.
        if number % 2 == 1 {
            out.push_str(&shortened(&visible(part), LONGEST_QUOTE));
        } else {
            out.push_str(&visible(part));
        }
    }
    shortened(&out, LONGEST)
}

fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_hidden(c) || matches!(c, '\u{200c}' | '\u{200d}') => {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

/// The first two thirds and the end, where both together are too long.
fn shortened(text: &str, longest: usize) -> String {
    let length = text.chars().count();
    if length <= longest {
        return text.to_owned();
    }
    let tail = longest / 3;
    let head: String = text.chars().take(longest - tail - 1).collect();
    let tail: String = text.chars().skip(length - tail).collect();
    format!("{head}…{tail}")
}

/// The text of a file as it can be shown, byte for byte in the same places: what nobody sees, and what
/// would speak to the terminal, is a sign that stands for it.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' | '\r' => out.push(c),
            c if c.is_control() || is_hidden(c) => out.push_str(match c.len_utf8() {
                1 => "?",
                2 => "\u{b7}",
                3 => "\u{fffd}",
                _ => "\u{b7}\u{b7}",
            }),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_keeps_every_place() {
        let text = "a\u{feff}b\u{ad}c\u{e0041}d\0e\u{1b}[2J\n\té\u{202e}x";
        let shown = excerpt(text);
        assert_eq!(shown.len(), text.len());
        assert_eq!(shown.find('x'), text.find('x'));
        assert!(in_value(&shown).is_none(), "{shown:?}");
    }

    #[test]
    fn a_long_message_keeps_both_ends() {
        let quoted = shown(&format!("`{}` is too long", "é".repeat(5000)));
        assert_eq!(quoted.chars().count(), LONGEST_QUOTE + "`` is too long".len());
        assert!(quoted.starts_with("`éé") && quoted.ends_with("é` is too long"), "{quoted}");
        let bare = shown(&"a".repeat(5000));
        assert_eq!(bare.chars().count(), LONGEST);
    }
}
