//! Months of timesheets: UTC calendar months, written `YYYY-MM`, stored as the number YYYYMM.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, tz::TimeZone};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Month(u32);

#[derive(Debug, thiserror::Error)]
#[error("a month is written YYYY-MM, such as 2026-11")]
pub(crate) struct BadMonth;

impl Month {
    /// The month in which an instant falls.
    pub(crate) fn of(time: Timestamp) -> Self {
        let date = time.to_zoned(TimeZone::UTC).date();
        Self(date.year().unsigned_abs() as u32 * 100 + date.month().unsigned_abs() as u32)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    pub(crate) fn from_number(number: u32) -> Self {
        Self(number)
    }
}

impl FromStr for Month {
    type Err = BadMonth;

    fn from_str(text: &str) -> Result<Self, BadMonth> {
        let bytes = text.as_bytes();
        let shaped = bytes.len() == 7
            && bytes
                .iter()
                .enumerate()
                .all(|(i, b)| if i == 4 { *b == b'-' } else { b.is_ascii_digit() });
        if !shaped {
            return Err(BadMonth);
        }
        let year: u32 = text[..4].parse().map_err(|_| BadMonth)?;
        let month: u32 = text[5..].parse().map_err(|_| BadMonth)?;
        // Before 2000 nothing was recorded; it is a typing error, not an empty month.
        if year < 2000 || !(1..=12).contains(&month) {
            return Err(BadMonth);
        }
        Ok(Self(year * 100 + month))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn malformed_months_are_refused() {
        for bad in [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "2026-1",
            "26-11",
            "2026/11",
            "2026-11-01",
            "１２３４-1",
            "1999-01",
        ] {
            assert!(bad.parse::<Month>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_month_of_an_instant_is_utc() {
        let last = "2026-10-31T23:59:59.999Z".parse().unwrap();
        let first = "2026-11-01T00:00:00Z".parse().unwrap();
        assert_eq!(Month::of(last).to_string(), "2026-10");
        assert_eq!(Month::of(first).to_string(), "2026-11");
        assert!(Month::of(last) < Month::of(first));
    }

    proptest! {
        #[test]
        fn text_and_number_agree(year in 2000u32..=9999, month in 1u32..=12) {
            let text = format!("{year:04}-{month:02}");
            let parsed: Month = text.parse().unwrap();
            prop_assert_eq!(parsed.to_string(), text);
            prop_assert_eq!(Month::from_number(parsed.number()), parsed);
        }

        #[test]
        fn nothing_panics(text in ".{0,12}") {
            let _ = text.parse::<Month>();
        }
    }
}
