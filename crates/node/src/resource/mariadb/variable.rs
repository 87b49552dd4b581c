//! Values of variables, as a configuration writes them and as the server shows them.

use crate::net::mysql;

/// Whether a live value is the declared one: `ON` is `1`, `256M` is 268435456.
pub(super) fn same(live: &str, declared: &str) -> bool {
    let declared = declared.trim();
    if live.eq_ignore_ascii_case(declared) {
        return true;
    }
    match live {
        "ON" => declared == "1" || declared.eq_ignore_ascii_case("true"),
        "OFF" => declared == "0" || declared.eq_ignore_ascii_case("false"),
        _ => match (live.parse::<f64>(), bytes(declared)) {
            // 1.5 is shown as 1.500000.
            (Ok(live), Some(declared)) => (live - declared).abs() < 1e-6,
            _ => false,
        },
    }
}

/// The declared value as the right side of `SET GLOBAL`.
pub(super) fn literal(live: &str, declared: &str) -> String {
    let declared = declared.trim();
    let number =
        bytes(declared).filter(|_| live.parse::<f64>().is_ok() || declared.parse::<i64>().is_ok());
    number.map_or_else(|| mysql::literal(declared), |number| number.to_string())
}

fn bytes(text: &str) -> Option<f64> {
    let (digits, factor) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 1024.0),
        (at, 'm' | 'M') => (&text[..at], 1024.0 * 1024.0),
        (at, 'g' | 'G') => (&text[..at], 1024.0 * 1024.0 * 1024.0),
        _ => (text, 1.0),
    };
    digits.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_value_in_other_words() {
        assert!(same("ON", "1") && same("OFF", "off") && same("268435456", "256M"));
        assert!(same("1.500000", "1.5") && same("READ-COMMITTED", "read-committed"));
        assert!(!same("1", "2") && !same("ON", "0") && !same("", "1"));
        assert_eq!(literal("1048576", "2M"), "2097152");
        assert_eq!(literal("ROW", "MIXED"), "'MIXED'");
        assert_eq!(literal("", "it's"), "'it''s'");
    }
}
