//! `check --explain`: what holds, section by section, readable in a narrow terminal.

use super::Style;
use andamio_spec::{Explained, Origin};

/// Where values begin at the latest; longer keys push their own.
const KEY: usize = 12;

/// All settings in at most `width` columns; defaults carry a mark and their reason.
pub(crate) fn explain(settings: &[Explained], width: usize, style: Style) -> String {
    let width = width.max(40);
    let legend = "Everything that holds. What begins with * is a default, with the reason for it; the rest is \
                  what the file says.";
    let mut out = wrap(legend, width);
    out.push('\n');
    let section =
        |s: &Explained| s.key.rsplit_once('.').map_or(String::new(), |(s, _)| s.to_owned());
    let mut sections: Vec<String> = Vec::new();
    for here in settings.iter().map(section) {
        if !sections.contains(&here) {
            sections.push(here);
        }
    }
    for here in sections {
        out.push_str(&format!("\n{}\n", style.bold(&format!("[{here}]"))));
        for setting in settings.iter().filter(|setting| section(setting) == here) {
            one(&mut out, setting, width, style);
        }
    }
    out
}

fn one(out: &mut String, setting: &Explained, width: usize, style: Style) {
    let key = setting.key.rsplit('.').next().unwrap_or_default();
    let default = setting.origin == Origin::Default;
    let mark = if default { "*" } else { " " };
    let head = format!("{mark} {key:KEY$}");
    let indent = KEY + 3;
    let mut text = setting.value.clone();
    let reason =
        if setting.reason.is_empty() { String::new() } else { format!("({})", setting.reason) };
    // On one line where it fits, else the reason has its own.
    let one = format!("{head} {text}  {reason}");
    if one.chars().count() <= width {
        text = format!("{text}  {reason}");
    } else if !reason.is_empty() {
        text = format!("{text}\n{reason}");
    }
    let parts: Vec<String> =
        text.lines().map(|line| wrap(line.trim_end(), width - indent)).collect();
    let pad = format!("\n{}", " ".repeat(indent));
    let shown = format!("{head} {}", parts.join("\n").replace('\n', &pad));
    out.push_str(&if default { style.dim(&shown) } else { shown });
    out.push('\n');
}

/// Breaks at spaces, and a word that is wider than the terminal where the terminal ends.
fn wrap(text: &str, width: usize) -> String {
    let (mut out, mut column) = (String::new(), 0);
    // Two spaces separate a value from its reason and stay.
    for word in text.split(' ').flat_map(|word| pieces(word, width)) {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.truncate(out.trim_end().len());
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(&word);
        column += length;
    }
    out
}

/// A word in parts of at most `width` characters.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.is_empty() {
        return vec![String::new()];
    }
    letters.chunks(width).map(|part| part.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Style, explain};
    use andamio_spec::parse;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let text = include_str!("../../../../andamio.toml");
        let spec = parse("andamio.toml", text).spec.unwrap();
        let settings = andamio_spec::explain(&spec, text);
        for width in [40, 60, 80] {
            let shown = explain(&settings, width, Style::detect(false));
            for line in shown.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
        let shown = explain(&settings, 80, Style::detect(false));
        assert!(shown.contains("\n[environments.dev.redis]\n  machines     1\n"), "{shown}");
        assert!(
            shown.contains("\n* on           local  (this Linux machine; no account, no cost)\n"),
            "{shown}"
        );
    }
}
