//! Text that somebody else wrote, for a terminal: what would move, clear or rename it is shown instead of done.

use std::fmt::Write;

/// Control characters as `cat -v` writes them, and those that turn the direction of text around by their numbers.
/// Tabs stay; further lines are indented, so that none looks like one of ours.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim_end_matches('\n').chars() {
        match c {
            '\t' => out.push(c),
            '\n' => out.push_str("\n    "),
            '\0'..='\x1f' => {
                out.push('^');
                out.extend(char::from_u32(u32::from(c) + 64));
            }
            '\x7f' => out.push_str("^?"),
            '\u{80}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                let _ = write!(out, "<{:04X}>", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn what_a_line_would_do_to_a_terminal_is_shown() {
        assert_eq!(harmless("a\x1b[2J\x1b]0;x\x07\r\x7f\ttab ñ"), "a^[[2J^[]0;x^G^M^?\ttab ñ");
        assert_eq!(harmless("\u{9b}2J \u{202e}"), "<009B>2J <202E>");
        assert_eq!(harmless("one\ntwo\n"), "one\n    two");
    }
}
