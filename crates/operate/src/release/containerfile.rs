//! The little that must be known of a Containerfile before it is built: which files it takes from the
//! build context `target`, so that only these are sent and not a whole folder of build products.

/// Paths of `COPY --from=target PATH… DEST`, in order.
pub(crate) fn from_target(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let mut paths = Vec::new();
    for line in joined.lines() {
        let mut words = line.split_whitespace();
        if !words.next().is_some_and(|w| w.eq_ignore_ascii_case("COPY")) {
            continue;
        }
        let words: Vec<&str> = words.collect();
        if !words.contains(&"--from=target") {
            continue;
        }
        let plain: Vec<&str> = words.into_iter().filter(|w| !w.starts_with("--")).collect();
        if let Some((_destination, sources)) = plain.split_last() {
            paths.extend(sources.iter().map(|s| s.trim_start_matches('/').to_owned()));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::from_target;

    #[test]
    fn only_what_comes_from_target() {
        let text = "FROM scratch\ncopy --from=target --chmod=755 a/b \\\n  /c /bin/\nCOPY x /y\n\
                    COPY --from=other z /z\n";
        assert_eq!(from_target(text), ["a/b", "c"]);
    }
}
