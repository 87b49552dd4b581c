//! Quoting for a shell.

/// Quotes arguments for a shell, separated by spaces. Backslashes stand outside of the quotes, where fish and csh read
/// them as POSIX shells do.
#[must_use]
pub fn quote<S: AsRef<str>>(arguments: &[S]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%_+=:,./-".contains(c);
    let quoted = arguments.iter().map(|argument| {
        let argument = argument.as_ref();
        if !argument.is_empty() && argument.chars().all(plain) {
            argument.to_owned()
        } else {
            let mut text = String::from("'");
            for c in argument.chars() {
                match c {
                    '\\' => text.push_str(r"'\\'"),
                    '\'' => text.push_str(r"'\''"),
                    c => text.push(c),
                }
            }
            text + "'"
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn quoting_survives_a_shell() {
        let given =
            ["plain", "two words", "it's", "", "$HOME", "a;b", "ñ", "new\nline", r"a\\b\", r"\'"];
        let script = format!("printf '%s\\0' {}", quote(&given));
        let printed =
            std::process::Command::new("sh").arg("-c").arg(script).output().unwrap().stdout;
        let text = String::from_utf8(printed).unwrap();
        let back: Vec<&str> = text.strip_suffix('\0').unwrap().split('\0').collect();
        assert_eq!(back, given);
    }
}
