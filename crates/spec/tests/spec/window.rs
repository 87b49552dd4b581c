//! Maintenance windows (W2).

use andamio_spec::{Schedule, Window};
use jiff::Timestamp;

fn window(text: &str) -> Window {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn contains() {
    // 2026-10-03 is a Saturday.
    for (text, time, expected) in [
        ("always", "2026-10-01T12:00:00Z", true),
        ("Sat..Sun", "2026-10-02T23:59:59.999Z", false),
        ("Sat..Sun", "2026-10-03T00:00:00Z", true),
        ("Sat..Sun", "2026-10-04T23:59:59.999Z", true),
        ("Sat..Sun", "2026-10-05T00:00:00Z", false),
        ("02:00..04:00 UTC", "2026-10-01T01:59:59Z", false),
        ("02:00..04:00 UTC", "2026-10-01T02:00:00Z", true),
        ("02:00..04:00 UTC", "2026-10-01T04:00:00Z", false),
        ("Sat..Sun 02:00..04:00 UTC", "2026-10-02T03:00:00Z", false),
        ("Sat..Sun 02:00..04:00 UTC", "2026-10-04T03:00:00Z", true),
        ("Sun 22:00..02:00 UTC", "2026-10-04T23:00:00Z", true),
        ("Sun 22:00..02:00 UTC", "2026-10-05T01:59:00Z", true),
        ("Sun 22:00..02:00 UTC", "2026-10-05T02:00:00Z", false),
        ("Sun 22:00..02:00 UTC", "2026-10-04T01:00:00Z", false),
        ("Fri..Mon", "2026-10-05T12:00:00Z", true),
        ("Fri..Mon", "2026-10-06T00:00:00Z", false),
        ("Sat", "1969-12-27T12:00:00Z", true),
        ("Sat", "1969-12-26T23:59:59.5Z", false),
    ] {
        assert_eq!(window(text).contains(at(time)), expected, "{text} at {time}");
    }
}

#[test]
fn next_opening() {
    for (text, after, expected) in [
        ("always", "2026-10-01T12:00:00Z", "2026-10-01T12:00:00Z"),
        ("Sat..Sun", "2026-10-01T12:00:00Z", "2026-10-03T00:00:00Z"),
        ("Sat..Sun", "2026-10-03T12:30:00Z", "2026-10-03T12:30:00Z"),
        ("Sat..Sun", "2026-10-05T00:00:00Z", "2026-10-10T00:00:00Z"),
        ("02:00..04:00 UTC", "2026-10-01T04:00:00Z", "2026-10-02T02:00:00Z"),
        ("Sun 22:00..02:00 UTC", "2026-10-05T02:00:00.5Z", "2026-10-11T22:00:00Z"),
    ] {
        assert_eq!(window(text).next_opening(at(after)), Some(at(expected)), "{text} {after}");
    }
}

#[test]
fn closes() {
    for (text, open, expected) in [
        ("Sat..Sun", "2026-10-03T12:00:00Z", Some("2026-10-05T00:00:00Z")),
        ("02:00..04:00 UTC", "2026-10-01T03:00:00Z", Some("2026-10-01T04:00:00Z")),
        ("Sun 22:00..02:00 UTC", "2026-10-05T01:00:00Z", Some("2026-10-05T02:00:00Z")),
        ("02:00..04:00 UTC", "2026-10-01T05:00:00Z", None),
        ("Mon..Sun", "2026-10-01T05:00:00Z", None),
        ("always", "2026-10-01T05:00:00Z", None),
    ] {
        assert_eq!(window(text).closes(at(open)), expected.map(at), "{text} {open}");
    }
}

#[test]
fn windows_are_shown_as_they_are_written() {
    for text in [
        "always",
        "Sat..Sun",
        "Sat",
        "Fri..Mon",
        "02:00..04:00 UTC",
        "Sat..Sun 02:00..04:00 UTC",
        "Sun 22:00..02:00 UTC",
    ] {
        assert_eq!(window(text).to_string(), text);
    }
}

#[test]
fn what_is_no_window() {
    for text in [
        "",
        " ",
        "never",
        "Sat..",
        "Sat-Sun",
        "sat..sun",
        "02:00..04:00",
        "02:00..04:00 CET",
        "02:00-04:00 UTC",
        "2:00..4:00 UTC",
        "25:00..26:00 UTC",
        "24:00..01:00 UTC",
        "Sat Sun",
        "Sat..Sun UTC",
        "Sat..Sun  02:00..04:00 UTC",
        "02:00..04:00 UTC UTC",
    ] {
        assert!(text.parse::<Window>().is_err(), "{text}");
    }
}

#[test]
fn schedules() {
    for text in ["daily 03:00 UTC", "every 6h", "every 90m", "every 2d"] {
        assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
    }
    for text in ["", "daily", "daily 03:00", "daily 3:00 UTC", "every", "every 0h", "every 6", "6h"]
    {
        assert!(text.parse::<Schedule>().is_err(), "{text}");
    }
}
