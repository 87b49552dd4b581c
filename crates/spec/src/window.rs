//! Maintenance windows: reading, asking, showing. Times are UTC; a week is seven days of 1,440
//! minutes.

use crate::model::Window;
use crate::units::parse_time_of_day;
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::str::FromStr;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 7 * DAY_S;
/// 1970-01-05, the first Monday: weeks are counted from here.
const FIRST_MONDAY_S: i64 = 4 * DAY_S;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    #[error("`{0}` is not a day; days are Mon, Tue, Wed, Thu, Fri, Sat, Sun")]
    Day(String),
    #[error("`{0}` is not a span of times; write for example \"02:00..04:00 UTC\"")]
    Times(String),
    #[error("windows are in UTC; `{0}` is another zone")]
    Zone(String),
    #[error(
        "`{0}` is not a window; write \"always\", \"Sat..Sun\", \"02:00..04:00 UTC\" or \
         \"Sat..Sun 02:00..04:00 UTC\""
    )]
    Form(String),
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        if text == "always" {
            return Ok(Self::Always);
        }
        let mut words: Vec<&str> = text.split(' ').collect();
        let has_time = words.iter().any(|word| word.contains(':'));
        let zone = if has_time && words.last().is_some_and(|word| !word.contains(':')) {
            words.pop()
        } else {
            None
        };
        let (days, times) = match words.as_slice() {
            [times] if times.contains(':') => (None, Some(*times)),
            [days] if !days.is_empty() => (Some(*days), None),
            [days, times] if times.contains(':') => (Some(*days), Some(*times)),
            _ => return Err(WindowError::Form(text.to_owned())),
        };
        // A time without its zone is what gets read in the wrong one.
        if times.is_some() && zone != Some("UTC") {
            return Err(match zone {
                Some(zone) => WindowError::Zone(zone.to_owned()),
                None => WindowError::Times(text.to_owned()),
            });
        }
        let (from_minute, to_minute) = times.map_or(Ok((0, 0)), parse_times)?;
        let days = days.map_or(Ok((1..=7).collect()), parse_days)?;
        Ok(Self::Weekly { days, from_minute, to_minute })
    }
}

fn parse_times(text: &str) -> Result<(u16, u16), WindowError> {
    text.split_once("..")
        .and_then(|(from, to)| {
            Some((parse_time_of_day(from, false)?, parse_time_of_day(to, true)? % 1_440))
        })
        .ok_or_else(|| WindowError::Times(text.to_owned()))
}

/// `Sat`, `Sat..Sun`, `Fri..Mon` (over the week's end).
fn parse_days(text: &str) -> Result<Vec<u8>, WindowError> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let number = |day: &str| {
        (1_u8..)
            .zip(DAYS)
            .find(|(_, name)| *name == day)
            .map(|(number, _)| number)
            .ok_or_else(|| WindowError::Day(day.to_owned()))
    };
    let (first, last) = (number(first)?, number(last)?);
    let mut days: Vec<u8> = if first <= last {
        (first..=last).collect()
    } else {
        (first..=7).chain(1..=last).collect()
    };
    days.sort_unstable();
    Ok(days)
}

impl Window {
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.spans().is_none_or(|spans| {
            let at = week_second(at);
            spans.iter().any(|(from, to)| {
                // The last span of the week may run into the next one.
                (*from..*to).contains(&at) || (*from..*to).contains(&(at + WEEK_S))
            })
        })
    }

    /// The first moment at or after `after` at which the window is open: `after` itself when it is
    /// open then. `None` only beyond the end of the calendar, or for a window without days.
    #[must_use]
    pub fn next_opening(&self, after: Timestamp) -> Option<Timestamp> {
        if self.contains(after) {
            return Some(after);
        }
        let at = week_second(after);
        let wait = self.spans()?.iter().map(|(from, _)| (from - at).rem_euclid(WEEK_S)).min()?;
        whole_second(after)?.checked_add(SignedDuration::from_secs(wait)).ok()
    }

    /// When the window that is open at `at` closes; `None` when it is closed or never closes.
    #[must_use]
    pub fn closes(&self, at: Timestamp) -> Option<Timestamp> {
        let spans = self.spans()?;
        let start = whole_second(at)?;
        let mut close = start;
        // Days that touch are one opening; a window that covers the week never closes.
        while self.contains(close) {
            let now = week_second(close);
            let left = spans
                .iter()
                .flat_map(|(from, to)| [(*from, *to), (from - WEEK_S, to - WEEK_S)])
                .filter(|(from, to)| (*from..*to).contains(&now))
                .map(|(_, to)| to - now)
                .max()?;
            close = close.checked_add(SignedDuration::from_secs(left)).ok()?;
            if close.as_second() - start.as_second() >= WEEK_S {
                return None;
            }
        }
        (close > start).then_some(close)
    }

    /// Seconds of the week, half open; the end may lie in the next week.
    fn spans(&self) -> Option<Vec<(i64, i64)>> {
        let Self::Weekly { days, from_minute, to_minute } = self else { return None };
        let from = i64::from(*from_minute) * 60;
        let to = i64::from(*to_minute) * 60;
        let to = if to <= from { to + DAY_S } else { to };
        Some(
            days.iter()
                .map(|day| (i64::from(*day) - 1) * DAY_S)
                .map(|midnight| (midnight + from, midnight + to))
                .collect(),
        )
    }
}

fn week_second(at: Timestamp) -> i64 {
    whole_second(at).unwrap_or(at).as_second().wrapping_sub(FIRST_MONDAY_S).rem_euclid(WEEK_S)
}

/// Rounded down, also before 1970.
fn whole_second(at: Timestamp) -> Option<Timestamp> {
    let down = i64::from(at.subsec_nanosecond() < 0);
    Timestamp::from_second(at.as_second() - down).ok()
}

/// As the file writes it.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Weekly { days, from_minute, to_minute } = self else {
            return f.write_str("always");
        };
        let all_days = days.len() == 7;
        let all_day = *from_minute == 0 && to_minute % 1_440 == 0;
        if !all_days {
            f.write_str(&show_days(days))?;
            if all_day {
                return Ok(());
            }
            f.write_str(" ")?;
        }
        let (from, to) = (from_minute, to_minute);
        write!(f, "{:02}:{:02}..{:02}:{:02} UTC", from / 60, from % 60, to / 60, to % 60)
    }
}

fn show_days(days: &[u8]) -> String {
    let name = |day: u8| DAYS.get(usize::from(day).wrapping_sub(1)).copied().unwrap_or("?");
    // The day whose predecessor is not in the list begins the span, also over the week's end.
    let before = |day: u8| if day == 1 { 7 } else { day - 1 };
    let first = days.iter().find(|day| !days.contains(&before(**day))).copied();
    match (first, days.len()) {
        (Some(first), 1) => name(first).to_owned(),
        (Some(first), count) => {
            let count = u8::try_from(count).unwrap_or(7);
            let last = (first + count - 2) % 7 + 1;
            format!("{}..{}", name(first), name(last))
        }
        (None, _) => String::new(),
    }
}
