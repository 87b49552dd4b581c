//! The little that must be known of a Containerfile before it is built: which files it takes from the
//! build context `target`, so that only these are sent and not a whole folder of build products.

/// Paths of `COPY --from=target PATH… DEST`, in order; none where `target` is a stage of the file's own.
pub(crate) fn from_target(text: &str) -> Vec<String> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut paths = Vec::new();
    for line in joined.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((instruction, words)) = words.split_first() else { continue };
        if instruction.eq_ignore_ascii_case("FROM")
            && let [.., word, name] = words
            && word.eq_ignore_ascii_case("AS")
            && name.eq_ignore_ascii_case("target")
        {
            return Vec::new();
        }
        if !instruction.eq_ignore_ascii_case("COPY") || !words.contains(&"--from=target") {
            continue;
        }
        let plain: Vec<&str> = words.iter().filter(|w| !w.starts_with("--")).copied().collect();
        let plain = plain.join(" ");
        // Both forms: words, and a list in brackets.
        let listed: Vec<String> = serde_json::from_str(&plain)
            .unwrap_or_else(|_| plain.split(' ').map(str::to_owned).collect());
        if let Some((_destination, sources)) = listed.split_last() {
            paths.extend(sources.iter().map(|s| s.trim_matches('/').to_owned()));
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
                    COPY --from=other z /z\nCOPY --from=target [\"d e\", \"/f\"]\n";
        assert_eq!(from_target(text), ["a/b", "c", "d e"]);
    }

    #[test]
    fn a_stage_of_that_name_is_the_file_s_own() {
        assert!(from_target("FROM a AS target\nFROM b\nCOPY --from=target /x /y\n").is_empty());
    }
}
