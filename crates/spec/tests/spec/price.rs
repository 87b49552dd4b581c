//! Costs (C1): the document says about 100, 300 and 1,000 € a month.

use crate::common::{FICHARFIRM, ficharfirm, spec};
use andamio_spec::price::{MACHINE_TYPES, machine_type};
use andamio_spec::{Size, check_budget, cost};
use std::collections::BTreeSet;

#[test]
fn every_environment_is_within_the_documents_figure() {
    let spec = ficharfirm();
    for (env, least, most) in
        [("dev", 80.0, 100.0), ("staging", 200.0, 300.0), ("prod", 600.0, 1000.0)]
    {
        let cost = cost(&spec, env).unwrap();
        assert!((least..=most).contains(&cost.total_month), "{env}: {}", cost.total_month);
        assert!((least..=most).contains(&cost.max_month), "{env}: {}", cost.max_month);
        assert_eq!(check_budget(&cost), None);
    }
}

#[test]
fn items_add_up_in_dollars() {
    let spec = spec(&FICHARFIRM.replace("\"EUR\"", "\"USD\""));
    for (env, total) in [("dev", 96.0), ("staging", 250.0), ("prod", 682.0)] {
        let cost = cost(&spec, env).unwrap();
        assert_eq!(cost.total_month, total);
        assert_eq!(cost.items.iter().map(|item| item.month).sum::<f64>(), total);
    }
}

#[test]
fn beyond_the_budget_is_refused() {
    let spec = spec(&FICHARFIRM.replace("budget   = 100 ", "budget   = 92 "));
    let refusal = check_budget(&cost(&spec, "dev").unwrap()).unwrap();
    assert_eq!(refusal.code, "budget");
    assert!(refusal.message.contains("92.21 EUR"), "{}", refusal.message);
}

#[test]
fn a_cost_serializes_in_the_form_of_the_contract() {
    let json = serde_json::to_value(cost(&ficharfirm(), "staging").unwrap()).unwrap();
    let keys: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["env", "currency", "items", "total_month", "budget", "rate"] {
        assert!(keys.contains(key), "{key}");
    }
    assert_eq!(json["currency"], "EUR");
    assert_eq!(json["items"][0]["type"], "g6-standard-2");
    assert_eq!(json["items"][0]["count"], 2);
    assert!(json["rate"]["usd_eur"].is_f64() && json["rate"]["date"].is_string());
}

#[test]
fn the_list_is_sorted_by_price_so_that_the_first_fit_is_the_cheapest() {
    assert!(MACHINE_TYPES.is_sorted_by_key(|row| row.month_usd));
    let id = |vcpu, memory, disk: u64| {
        machine_type(Size::new(vcpu, memory), disk * 1_000_000_000).map(|row| row.id)
    };
    assert_eq!(id(2, 4, 80), Some("g6-standard-2"));
    assert_eq!(id(2, 4, 90), Some("g6-standard-4"), "a larger disk is another type");
    assert_eq!(id(1, 1, 10), Some("g6-nanode-1"));
    assert_eq!(id(64, 4, 10), None);
}
