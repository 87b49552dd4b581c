//! Differences as people read them: `- old`, `+ new` and hunks like those of `git diff`.

use similar::TextDiff;

/// Longest text of one difference; a whole new configuration fits, a database dump does not.
const LONGEST: usize = 48 * 1024;

/// What differs between a machine and its manifest. Empty: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Diff {
    lines: Vec<String>,
    /// Making it so interrupts the service that users see.
    pub(crate) disrupts: bool,
    /// A unit that has to run and does not.
    pub(crate) down: bool,
    /// What is read from it stays the same (mode and owner differ): nobody has to read it again.
    pub(crate) same_content: bool,
    /// What the operator should know besides.
    pub(crate) message: String,
}

impl Diff {
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// A line that is there and must go.
    pub(crate) fn minus(&mut self, line: impl AsRef<str>) {
        self.lines.push(format!("- {}", line.as_ref()));
    }

    /// A line that is not there and must come.
    pub(crate) fn plus(&mut self, line: impl AsRef<str>) {
        self.lines.push(format!("+ {}", line.as_ref()));
    }

    /// A named value that differs.
    pub(crate) fn value(&mut self, name: &str, old: impl AsRef<str>, new: impl AsRef<str>) {
        let (old, new) = (old.as_ref(), new.as_ref());
        if old != new {
            self.minus(format!("{name} {old}").trim());
            self.plus(format!("{name} {new}").trim());
        }
    }

    /// A remark that stands for a difference which cannot be shown.
    pub(crate) fn remark(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Hunks with three lines of context.
    pub(crate) fn text(&mut self, old: &str, new: &str) {
        if old == new {
            return;
        }
        let diff = TextDiff::from_lines(old, new);
        let hunks = diff.unified_diff().context_radius(3).to_string();
        self.lines.extend(hunks.lines().map(str::to_owned));
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.lines.extend(other.lines);
        self.disrupts |= other.disrupts;
        self.down |= other.down;
        if !other.message.is_empty() {
            self.message = other.message;
        }
    }

    /// The whole text, cut when it is too long to be read anyway.
    pub(crate) fn show(&self) -> String {
        let mut text = String::new();
        for (index, line) in self.lines.iter().enumerate() {
            if text.len() + line.len() > LONGEST {
                text.push_str(&format!("… {} more lines", self.lines.len() - index));
                break;
            }
            if index > 0 {
                text.push('\n');
            }
            text.push_str(line);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_git() {
        let mut diff = Diff::default();
        diff.value("mode", "0600", "0644");
        diff.value("owner", "root:root", "root:root");
        diff.text("a\nb\nc\n", "a\nB\nc\n");
        insta::assert_snapshot!(diff.show(), @r"
        - mode 0600
        + mode 0644
        @@ -1,3 +1,3 @@
         a
        -b
        +B
         c
        ");
    }

    #[test]
    fn a_huge_difference_is_cut() {
        let mut diff = Diff::default();
        diff.text("", &"0123456789\n".repeat(10_000));
        assert!(diff.show().len() < LONGEST + 100);
        assert!(diff.show().ends_with("more lines"));
    }
}
