//! What an ignore file keeps out of the build context, read exactly as buildah reads it.
//!
//! buildah applies the ignore file once more when it copies. This reading decides what is sent and what names a
//! release, so it must never take out what buildah would keep. Libraries for ignore files speak git's
//! language, where `*.log` means any folder; here it means the top one. buildah turns each pattern into a
//! regular expression, so the same is done here, oddities included: `a+b` is not a plain name.

use regex_lite::Regex;

/// The patterns of one ignore file, in order: the last one that fits a path decides.
#[derive(Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// As it is written.
    line: String,
    /// `!`: it takes nothing out, it brings back.
    exception: bool,
    /// What every path that fits begins with, or is the beginning of.
    beginning: String,
    fits: Fits,
}

#[derive(Debug)]
enum Fits {
    /// This path and all below. Most rules are such, and an expression costs a hundred times as much.
    Path(String),
    Pattern(Regex),
}

/// A line that no builder can use.
#[derive(Debug, PartialEq, Eq)]
pub struct BadPattern(pub String);

impl Ignore {
    /// Reads the content of an ignore file.
    ///
    /// # Errors
    /// Names the first line that is not a pattern.
    pub fn parse(content: &[u8]) -> Result<Self, BadPattern> {
        let content = text(content);
        let lines = content.split('\n').filter(|line| !line.starts_with('#'));
        // Slashes go before blanks do: that is the order in which buildah does it.
        let lines = lines.map(|line| line.trim_matches('/').trim()).filter(|line| !line.is_empty());
        let rules = lines.map(|line| Rule::parse(line).ok_or_else(|| BadPattern(line.to_owned())));
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// The line that keeps a path out; `None` for one that is in. Paths are relative and without `./`.
    #[must_use]
    pub fn keeps_out(&self, path: &[u8]) -> Option<&str> {
        let path = text(path);
        let rule = self.rules.iter().rev().find(|rule| rule.fits(&path))?;
        (!rule.exception).then_some(&rule.line)
    }

    /// May anything in this folder be in although the folder is out? Says yes where it is not sure.
    #[must_use]
    pub fn may_bring_back_below(&self, folder: &[u8]) -> bool {
        let folder = format!("{}/", text(folder));
        let near = |rule: &Rule| {
            rule.beginning.starts_with(&folder) || folder.starts_with(&rule.beginning)
        };
        self.rules.iter().any(|rule| rule.exception && near(rule))
    }
}

impl Rule {
    fn parse(line: &str) -> Option<Self> {
        let pattern = clean(line);
        let (exception, pattern) = match pattern.strip_prefix('!') {
            Some("") => return None,
            Some(rest) => (true, clean(rest).trim_start_matches('/').to_owned()),
            None => (false, pattern),
        };
        // A mark of the byte order counts as the first character of the line, but not as one of the pattern.
        let pattern = pattern.strip_prefix('\u{feff}').unwrap_or(&pattern);
        let special = |c: char| !(c.is_alphanumeric() || " _-./,:;=@%~#!\"'&<>`".contains(c));
        let beginning: String = pattern.chars().take_while(|c| !special(*c)).collect();
        let fits = if beginning.len() == pattern.len() {
            Fits::Path(pattern.to_owned())
        } else {
            Fits::Pattern(Regex::new(&expression(pattern)?).ok()?)
        };
        // Before `?`, `*` or `{` there may be less than the pattern says, and beside `|` anything.
        let beginning = match (&fits, beginning.rfind('/')) {
            (Fits::Path(_), _) => beginning,
            (Fits::Pattern(_), Some(at)) if !pattern.contains('|') => beginning[..at].to_owned(),
            (Fits::Pattern(_), _) => String::new(),
        };
        Some(Self { line: line.to_owned(), exception, beginning, fits })
    }

    fn fits(&self, path: &str) -> bool {
        match &self.fits {
            Fits::Path(own) => path.strip_prefix(own.as_str()).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('/') && !rest.contains('\n')
            }),
            Fits::Pattern(pattern) => pattern.is_match(path),
        }
    }
}

/// A byte that is no UTF-8 counts as one character.
fn text(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    out
}

/// Without `.`, `..` and empty parts.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".to_owned(),
        (false, rest) => rest,
    }
}

/// buildah's regular expression for a pattern; also what is below a path fits.
fn expression(pattern: &str) -> Option<String> {
    let mut out = String::from("^");
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.next_if_eq(&'*').is_some() => {
                let _ = rest.next_if_eq(&'/');
                out.push_str(if rest.peek().is_none() { ".*" } else { "(.*/)?" });
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '.' | '$' => out.extend(['\\', c]),
            '\\' => out.extend(['\\', rest.next()?]),
            c => out.push(c),
        }
    }
    out.push_str("(/.*)?$");
    dialect(&out)
}

/// From Go's dialect to this library's: what only one of the two takes for something special.
fn dialect(expression: &str) -> Option<String> {
    let (mut out, mut class, mut repeated) = (String::new(), false, false);
    let mut rest = expression.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let again = !class && matches!(c, '*' | '+');
        // `c++` repeats a repetition, which Go refuses.
        if again && repeated {
            return None;
        }
        let counts = c == '{' && repeats(&expression[at + 1..]);
        repeated = again || !class && c == '?';
        match c {
            '\\' => out.extend(['\\'].into_iter().chain(rest.next().map(|(_, c)| c))),
            '[' if !class => {
                class = true;
                out.push('[');
                if rest.next_if(|(_, c)| *c == '^').is_some() {
                    out.push('^');
                }
                if rest.next_if(|(_, c)| *c == ']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' if !expression[at..].starts_with("[:") => out.push_str("\\["),
            '&' | '~' if class => out.extend(['\\', c]),
            ']' => {
                class = false;
                out.push(']');
            }
            '{' if !class && !counts => out.push_str("\\{"),
            c => out.push(c),
        }
    }
    Some(out)
}

/// `3}`, `3,}` or `3,4}`.
fn repeats(rest: &str) -> bool {
    let Some((numbers, _)) = rest.split_once('}') else { return false };
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let (least, most) = numbers.split_once(',').unwrap_or((numbers, ""));
    !least.is_empty() && digits(least) && digits(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(lines: &str, path: &str) -> bool {
        Ignore::parse(lines.as_bytes()).unwrap().keeps_out(path.as_bytes()).is_some()
    }

    /// Each row as buildah has it.
    #[test]
    fn patterns() {
        for (lines, path, expected) in [
            ("*.log", "a.log", true),
            ("*.log", "sub/a.log", false),
            ("**/*.log", "a.log", true),
            ("**/*.log", "x/y/a.log", true),
            ("node_modules", "node_modules/a/b", true),
            ("node_modules", "web/node_modules/a", false),
            ("**/node_modules", "web/node_modules/a", true),
            ("/src", "src/a", true),
            ("./docs/", "docs/a", true),
            ("doc?", "docs", true),
            ("doc?", "doc/s", false),
            ("[ad]*", "deep/x", true),
            ("[^a]*", "abc", false),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**", "a/b", true),
            ("a/**", "a", false),
            ("tools\n!tools/requirements.txt", "tools/requirements.txt", false),
            ("tools\n!tools/requirements.txt", "tools/other", true),
            ("!a\na", "a", true),
            ("*\n!a", "a/b", false),
            ("a.b", "axb", false),
            ("  inner space  ", "inner space", true),
            ("src/\r\n*.md\r\n", "src/x", true),
            ("src/\r\n*.md\r\n", "x.md", true),
            ("# no\n\n#b", "#b", false),
            ("\u{feff}*.md\nx", "a.md", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("{a,b}", "a", false),
            ("{a,b}", "{a,b}", true),
            ("a+b", "aab", true),
            ("x/../y", "y", true),
            (".", "a", false),
        ] {
            assert_eq!(out(lines, path), expected, "{lines:?} {path:?}");
        }
        let odd = Ignore::parse(b"caf\xe9?").unwrap();
        assert!(odd.keeps_out(b"caf\xe9\xff").is_some());
    }

    #[test]
    fn what_no_builder_can_use() {
        for line in ["!", "a[", "c++", "a\\"] {
            assert_eq!(Ignore::parse(line.as_bytes()).unwrap_err(), BadPattern(line.to_owned()));
        }
    }

    #[test]
    fn folders_are_entered_only_where_something_may_come_back() {
        let below = |lines: &str, folder: &str| {
            Ignore::parse(lines.as_bytes()).unwrap().may_bring_back_below(folder.as_bytes())
        };
        assert!(!below("node_modules", "node_modules"));
        assert!(below("tools\n!tools/a/b.txt", "tools"));
        assert!(below("tools\n!tools/a/b.txt", "tools/a"));
        assert!(!below("tools\n!tools/a/b.txt", "tools/c"));
        assert!(!below("tools\n!tools/a/b.txt", "toolbox"));
        assert!(below("*\n!**/keep", "any/where"));
        assert!(below("*\n!src/*/keep", "src/x"));
        assert!(!below("*\n!src/*/keep", "doc"));
        assert!(below("*\n!ab?/x", "a"));
    }
}
