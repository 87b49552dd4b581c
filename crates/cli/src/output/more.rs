//! Where an error is explained at length.

const ERRORS: &str = include_str!("../../../../docs/errors.md");

/// The document and, for a single code, its entry there.
pub(crate) fn of<'a>(codes: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut codes = codes.into_iter();
    let first = codes.next()?;
    if codes.any(|code| code != first) {
        return Some("docs/errors.md".to_owned());
    }
    let has = ERRORS.lines().any(|line| line.strip_prefix("### ") == Some(first));
    has.then(|| format!("docs/errors.md#{first}"))
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn one_code_has_an_entry_and_several_a_document() {
        assert_eq!(of(["locked"]).as_deref(), Some("docs/errors.md#locked"));
        assert_eq!(of(["syntax", "syntax"]).as_deref(), Some("docs/errors.md#syntax"));
        assert_eq!(of(["syntax", "empty"]).as_deref(), Some("docs/errors.md"));
        assert_eq!(of(["never-heard-of"]), None);
        assert_eq!(of([]), None);
    }
}
