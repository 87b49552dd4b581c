//! A moment as a person writes it. Pure; where no zone is given, times are UTC, as they are shown.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub(super) const EXAMPLES: &str = "write 10m, 2h, 1d, \"10 min ago\", today, yesterday, 12:30, 2026-01-31, \
     \"2026-01-31 12:00\" (both UTC), 2026-01-31T12:00:00+01:00, or seconds since 1970: 1769860800";

/// `None` when the text says no time, or one that no calendar has.
pub(super) fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    let utc = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp());
    let today = now.to_zoned(TimeZone::UTC).date();
    match text.to_lowercase().as_str() {
        "now" => return Some(now),
        "today" => return utc(today.at(0, 0, 0, 0)),
        "yesterday" => return utc(today.yesterday().ok()?.at(0, 0, 0, 0)),
        _ => {}
    }
    if let Some(moment) = epoch(text) {
        return moment;
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let (civil, said_utc) = match text.strip_suffix("UTC") {
        Some(rest) => (rest.trim_end(), true),
        None => (text, false),
    };
    // A zone by name, in brackets, would be left out of account by what follows.
    if civil.contains('[') {
        return None;
    }
    if let Ok(time) = civil.parse::<DateTime>() {
        return utc(time);
    }
    if let Ok(date) = civil.parse::<Date>() {
        return utc(date.at(0, 0, 0, 0));
    }
    let has_colon = civil.contains(':') && civil.starts_with(|c: char| c.is_ascii_digit());
    if let (true, Ok(time)) = (has_colon, civil.parse::<Time>()) {
        return utc(today.to_datetime(time));
    }
    if said_utc {
        return None;
    }
    now.checked_sub(ago(text)?).ok()
}

/// Seconds, or milliseconds or microseconds where there are as many digits, since 1970. The outer `None`: it is
/// something else.
fn epoch(text: &str) -> Option<Option<Timestamp>> {
    let (digits, marked) = match text.strip_prefix('@') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    // Fewer digits are more likely a year or a mistake than a day of 1970.
    if whole.is_empty() || !number(whole) || !number(fraction) || (!marked && whole.len() < 9) {
        return None;
    }
    let value: i64 = whole.parse().ok()?;
    Some(match whole.len() {
        0..=11 => {
            let micros = format!("{fraction:0<6}").get(..6).and_then(|f| f.parse::<i64>().ok());
            Timestamp::new(value, 1000 * i32::try_from(micros.unwrap_or(0)).unwrap_or(0)).ok()
        }
        12..=14 => Timestamp::from_millisecond(value).ok(),
        _ => Timestamp::from_microsecond(value).ok(),
    })
}

/// `10m`, `-10m`, `10 min ago`, `1h 30min`, `1 hour 30 minutes`.
fn ago(text: &str) -> Option<SignedDuration> {
    let text = text.strip_suffix("ago").map_or(text, str::trim_end);
    let mut rest = text.strip_prefix('-').unwrap_or(text).trim();
    if rest.is_empty() {
        return None;
    }
    let mut sum = SignedDuration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(end);
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let seconds = number.parse::<i64>().ok()?.checked_mul(seconds(unit)?)?;
        sum = sum.checked_add(SignedDuration::from_secs(seconds))?;
        rest = next.trim_start_matches([' ', ',']);
    }
    Some(sum)
}

fn seconds(unit: &str) -> Option<i64> {
    const DAY: i64 = 86_400;
    Some(match unit.to_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        // A capital M is a month to systemd, and a minute to nobody.
        "m" if unit == "m" => 60,
        "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => 7 * DAY,
        "month" | "months" => 30 * DAY,
        "y" | "year" | "years" => 365 * DAY,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        let now: Timestamp = "2026-01-31T12:30:00Z".parse().unwrap();
        let is = |text: &str| moment(text, now).map(|t| t.to_string());
        for (text, expected) in [
            ("10m", "2026-01-31T12:20:00Z"),
            ("-10m", "2026-01-31T12:20:00Z"),
            ("2h", "2026-01-31T10:30:00Z"),
            ("1d", "2026-01-30T12:30:00Z"),
            ("1h30m", "2026-01-31T11:00:00Z"),
            ("10 min ago", "2026-01-31T12:20:00Z"),
            ("1 hour, 30 minutes ago", "2026-01-31T11:00:00Z"),
            ("2 weeks ago", "2026-01-17T12:30:00Z"),
            ("now", "2026-01-31T12:30:00Z"),
            ("today", "2026-01-31T00:00:00Z"),
            ("Yesterday", "2026-01-30T00:00:00Z"),
            ("12:00", "2026-01-31T12:00:00Z"),
            ("12:00:30", "2026-01-31T12:00:30Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31 12:00", "2026-01-31T12:00:00Z"),
            ("2026-01-31 12:00:01 UTC", "2026-01-31T12:00:01Z"),
            ("2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00Z"),
            ("2026-01-31T12:00:00.123Z", "2026-01-31T12:00:00.123Z"),
            ("1769860800", "2026-01-31T12:00:00Z"),
            ("@1769860800.25", "2026-01-31T12:00:00.25Z"),
            ("1769860800123", "2026-01-31T12:00:00.123Z"),
        ] {
            assert_eq!(is(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        let now: Timestamp = "2026-01-31T12:30:00Z".parse().unwrap();
        for text in [
            "",
            "soon",
            "10",
            "2026",
            "10M",
            "10 parsecs",
            "ago",
            "2026-02-30",
            "25:00",
            "10m UTC",
            "99999999999999999999y",
            "2026-01-31T12:00[Europe/Madrid]",
        ] {
            assert_eq!(moment(text, now), None, "{text}");
        }
    }
}
