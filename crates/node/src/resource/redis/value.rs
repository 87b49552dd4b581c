//! Values of parameters, as redis.conf writes them and as the server shows them.

/// Whether a live value is the declared one: `256mb` is 268435456, quotes and case don't matter.
pub(super) fn same(live: &str, declared: &str) -> bool {
    let declared = declared.trim().trim_matches('"');
    if live.eq_ignore_ascii_case(declared) {
        return true;
    }
    match (live.parse::<u64>(), bytes(declared)) {
        (Ok(live), Some(declared)) => live == declared,
        _ => false,
    }
}

/// A parameter whose value is never shown.
pub(super) fn secret(name: &str) -> bool {
    let name = name.to_lowercase();
    name.contains("pass") || name == "masterauth"
}

/// Redis' units: `k` is a thousand, `kb` is 1024.
fn bytes(text: &str) -> Option<u64> {
    let text = text.to_lowercase();
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor: u64 = match text.get(at..)? {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    text.get(..at)?.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_value_in_other_words() {
        assert!(same("268435456", "256mb") && same("256000000", "256M") && same("", "\"\""));
        assert!(same("everysec", "EverySec") && same("0", "0"));
        assert!(
            !same("268435456", "257mb") && !same("1", "99999999999999gb") && !same("yes", "no")
        );
        assert!(secret("requirepass") && secret("masterauth") && !secret("maxmemory"));
    }
}
