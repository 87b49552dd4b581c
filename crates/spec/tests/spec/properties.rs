//! What holds for any input.

use crate::common::{FICHARFIRM, ficharfirm, network};
use andamio_spec::topology::compute_with;
use andamio_spec::{Finding, Group, Window, parse, units};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// No panic, and a spec exactly when there is no error; every span lies in the text.
fn check_text(text: &str) {
    let parsed = parse("andamio.toml", text);
    assert_eq!(parsed.spec.is_some(), !parsed.findings.iter().any(Finding::is_error));
    for finding in &parsed.findings {
        assert!(text.get(finding.offset..finding.offset + finding.length).is_some());
        assert!(finding.line >= 1 && finding.column >= 1);
    }
    if let Some(spec) = &parsed.spec {
        for env in &spec.environments {
            let topology = andamio_spec::topology::compute(spec, &env.name, "local", network());
            assert!(topology.is_ok(), "{topology:?}");
        }
        assert!(!andamio_spec::explain(spec, text).is_empty());
    }
}

/// What replaces a piece of the good file.
fn splinter() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ -~\n]{1,6}",
        "\\PC{1,4}",
        prop::sample::select(vec![
            "\"",
            "[",
            "]",
            "{",
            "}",
            "=",
            "\n",
            "..",
            "0",
            "-1",
            "9999999999999999999999",
            "18446744073709551615",
            "1e400",
            "nan",
            "0x",
            "true",
            "1979-05-27",
            "''",
            "\"\"",
            "[]",
            "{}",
            "[[x]]",
            "\u{feff}",
            "\0",
            "é",
            "[environments]",
            "[app]",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Lines that are moved, doubled or lost, and pieces that are replaced.
fn mutate(
    text: &str,
    cuts: &[(prop::sample::Index, usize, String)],
    lines: &[(usize, usize)],
) -> String {
    let mut rows: Vec<&str> = text.lines().collect();
    for (from, to) in lines {
        let (from, to) = (from % rows.len(), to % rows.len());
        match (from + to) % 3 {
            0 => rows.swap(from, to),
            1 => rows.insert(to, rows[from]),
            _ => drop(rows.remove(from)),
        }
    }
    let mut text = rows.join("\n");
    for (at, length, splinter) in cuts {
        let boundary = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = boundary(at.index(text.len() + 1));
        let end = boundary(start + length);
        text.replace_range(start..end, splinter);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_judged(text in "\\PC{0,200}|[\\[\\]{}=\"'.a-z0-9\n ]{0,200}") {
        check_text(&text);
    }

    #[test]
    fn any_damage_to_the_good_file_is_judged(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, splinter()), 0..4),
        lines in prop::collection::vec((0..500_usize, 0..500_usize), 0..4),
    ) {
        check_text(&mutate(FICHARFIRM, &cuts, &lines));
    }

    #[test]
    fn any_string_is_a_value_or_a_finding(value in "\\PC{0,30}", line in 0..60_usize) {
        let rows: Vec<String> = FICHARFIRM
            .lines()
            .enumerate()
            .map(|(at, row)| match row.split_once('=') {
                Some((key, _)) if at == line => format!("{key}= {value:?}"),
                _ => row.to_owned(),
            })
            .collect();
        check_text(&rows.join("\n"));
    }

    #[test]
    fn any_scaling_keeps_addresses_apart(counts in prop::collection::vec(0..=10_u32, 6)) {
        let counts: BTreeMap<Group, u32> = Group::ALL.into_iter().zip(counts).collect();
        let topology = compute_with(&ficharfirm(), "prod", "local", network(), &counts).unwrap();
        let addresses: BTreeSet<_> = topology.machines.iter().map(|m| m.address).collect();
        prop_assert_eq!(addresses.len(), topology.machines.len());
        let flows: BTreeSet<_> = topology.flows.iter().collect();
        prop_assert_eq!(flows.len(), topology.flows.len());
        for budget in &topology.budgets {
            prop_assert!(budget.max_unavailable <= budget.machines);
        }
    }

    #[test]
    fn a_window_opens_where_it_says(
        first in 0..7_usize, count in 1..=7_usize, from in 0..1440_u16, to in 0..1440_u16,
        second in -4_000_000_000_i64..4_000_000_000, nanosecond in 0..1_000_000_000_i32,
    ) {
        let mut days: Vec<u8> = (0..count).map(|n| u8::try_from((first + n) % 7 + 1).unwrap()).collect();
        days.sort_unstable();
        let window = Window::Weekly { days, from_minute: from, to_minute: to };
        prop_assert_eq!(window.to_string().parse::<Window>().unwrap(), window.clone());
        let now = Timestamp::new(second, if second < 0 { -nanosecond } else { nanosecond }).unwrap();
        let open = window.next_opening(now).unwrap();
        prop_assert!(open >= now && window.contains(open));
        if open > now {
            prop_assert!(!window.contains(now));
            let before = open.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap();
            prop_assert!(!window.contains(before));
        }
        if let Some(close) = window.closes(open) {
            prop_assert!(close > open && !window.contains(close));
            let before = close.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap();
            prop_assert!(window.contains(before));
        }
    }

    #[test]
    fn sizes_are_read_back(vcpu in 1..=64_u32, memory in 1..=512_u32) {
        let size = units::parse_size(&format!("{vcpu}x{memory}")).unwrap();
        prop_assert_eq!(size.to_string(), format!("{vcpu}x{memory}"));
    }

    #[test]
    fn bytes_are_read_back(amount in 1..1_000_u64, unit in 0..3_usize) {
        let text = format!("{amount} {}", ["MB", "GB", "TB"][unit]);
        prop_assert_eq!(units::format_bytes(units::parse_bytes(&text).unwrap()), text);
    }

    #[test]
    fn any_word_is_no_panic_for_the_units(text in "\\PC{0,30}|[0-9]{0,30} ?(GB|TB|h|d|x|Mbit/s)?") {
        let _ = (units::parse_size(&text), units::parse_bytes(&text), units::parse_duration(&text));
        let _ = (units::parse_bandwidth(&text), units::parse_transfer(&text));
        let _ = (text.parse::<Window>(), text.parse::<andamio_spec::Schedule>());
    }
}
