//! Costs (C1): the document says about 100, 300 and 1,000 € a month.

use crate::common::{FICHARFIRM, ficharfirm, spec};
use andamio_spec::price::{MACHINE_TYPES, machine_type, volume_gb};
use andamio_spec::{Group, Layout, Size, check_budget, check_traffic, cost, cost_at};
use std::collections::BTreeSet;

#[test]
fn every_environment_is_within_the_documents_figure() {
    let spec = ficharfirm();
    for (env, least, most) in
        [("dev", 90.0, 100.0), ("staging", 240.0, 300.0), ("prod", 600.0, 1000.0)]
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
    // Machines; volumes, backups of whole machines, NodeBalancer, Object Storage.
    let totals = [
        ("dev", 4.0 * 24.0 + 5.0),
        ("staging", 10.0 * 24.0 + 2.0 * 4.0 + 5.0 + 10.0 + 5.0),
        ("prod", 13.0 * 48.0 + 2.0 * 24.0 + 3.0 * 4.0 + 10.0 + 10.0 + 5.0),
    ];
    for (env, total) in totals {
        let cost = cost(&spec, env).unwrap();
        assert_eq!(cost.total_month, total, "{env}");
        assert_eq!(cost.total_month_usd, total, "{env}");
        assert_eq!(cost.items.iter().map(|item| item.month).sum::<f64>(), total, "{env}");
        let hours: f64 = cost.items.iter().map(|item| item.hour).sum();
        assert!((hours - cost.total_hour).abs() < 0.0005, "{env}: {hours}");
    }
}

#[test]
fn growth_costs_between_the_least_and_the_most() {
    let spec = spec(&FICHARFIRM.replace("\"EUR\"", "\"USD\""));
    let prod = cost(&spec, "prod").unwrap();
    // Three more g6-standard-4, for 40 of a week's 168 hours.
    assert_eq!(prod.max_month, prod.total_month + 3.0 * 48.0);
    assert!((prod.expected_month - (prod.total_month + 144.0 * 40.0 / 168.0)).abs() < 0.01);
    let dev = cost(&spec, "dev").unwrap();
    assert_eq!((dev.expected_month, dev.max_month), (dev.total_month, dev.total_month));
    // The limit of machines ends growth before `max`.
    let held = FICHARFIRM.replace("machines = 24,", "machines = 16,").replace("\"EUR\"", "\"USD\"");
    let held = cost(&crate::common::spec(&held), "prod").unwrap();
    assert_eq!(held.max_month, held.total_month + 48.0);
}

#[test]
fn a_place_has_its_own_prices() {
    let text = format!("{FICHARFIRM}\n[places.sao]\nkind = \"linode\"\nregion = \"br-gru\"\n")
        .replace("\"EUR\"", "\"USD\"");
    let spec = spec(&text);
    let month = |place| cost_at(&spec, "dev", place).unwrap().total_month;
    assert_eq!(month("local"), month("linode"));
    assert!((month("sao") - month("linode") * 1.4).abs() < 0.01, "{}", month("sao"));
    assert!(cost_at(&spec, "dev", "mars").is_err());
}

#[test]
fn beyond_the_budget_is_refused() {
    let spec = spec(&FICHARFIRM.replace("budget   = 100 ", "budget   = 92 "));
    let refusal = check_budget(&cost(&spec, "dev").unwrap()).unwrap();
    assert_eq!((refusal.code, refusal.rule.as_str()), ("budget", "environments.dev.budget"));
    assert!(refusal.message.contains("97.01 EUR"), "{}", refusal.message);
    assert!(refusal.message.contains("5.01 over"), "{}", refusal.message);
}

#[test]
fn traffic_beyond_what_is_included_is_in_the_most_and_has_to_fit_the_budget() {
    let text = FICHARFIRM.replace("10 TB/month", "93 TB/month").replace("\"EUR\"", "\"USD\"");
    let spec = spec(&text);
    let prod = spec.environments.iter().find(|env| env.name == "prod").unwrap();
    let cost = cost(&spec, "prod").unwrap();
    // 13 × 5 TB and 2 × 4 TB are included; 20,000 GB at half a cent are not.
    assert_eq!(cost.max_month, cost.total_month + 144.0 + 100.0);
    assert_eq!(check_traffic(prod, spec.project.currency), []);
    let mut poor = prod.clone();
    poor.budget = Some(750);
    let refused = check_traffic(&poor, spec.project.currency);
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!(refused[0].rule, "environments.prod.limits.transfer");
}

#[test]
fn a_cost_serializes_in_the_form_of_the_contract() {
    let json = serde_json::to_value(cost(&ficharfirm(), "staging").unwrap()).unwrap();
    let keys: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["env", "currency", "items", "total_month", "budget", "rate"] {
        assert!(keys.contains(key), "{key}");
    }
    assert_eq!(json["currency"], "EUR");
    let item = &json["items"][0];
    for key in ["name", "type", "count", "month"] {
        assert!(!item[key].is_null(), "{key}: {item}");
    }
    assert_eq!(item["type"], "g6-standard-2");
    assert_eq!(item["count"], 2);
    assert!(json["rate"]["usd_eur"].is_f64() && json["rate"]["date"].is_string());
}

#[test]
fn what_must_outlive_a_machine_is_on_a_volume() {
    let gb = |layout| volume_gb(Group::Mariadb, layout, 40_000_000_000);
    assert_eq!((gb(Layout::Single), gb(Layout::Replica), gb(Layout::Galera)), (0, 40, 40));
    assert_eq!(
        volume_gb(Group::Mariadb, Layout::Galera, 5_000_000_000),
        10,
        "the smallest there is"
    );
    assert_eq!(volume_gb(Group::Redis, Layout::Cluster, 40_000_000_000), 0);
}

#[test]
fn the_list_is_sorted_by_price_so_that_the_first_fit_is_the_cheapest() {
    assert!(MACHINE_TYPES.is_sorted_by_key(|row| row.month));
    let id = |vcpu, memory, disk: u64| {
        let size = Size::new(vcpu, memory);
        machine_type(MACHINE_TYPES, size, disk * 1_000_000_000).map(|row| &*row.id)
    };
    assert_eq!(id(2, 4, 80), Some("g6-standard-2"));
    assert_eq!(id(2, 4, 90), Some("g6-standard-4"), "a larger disk is another type");
    assert_eq!(id(1, 1, 10), Some("g6-nanode-1"));
    assert_eq!(id(64, 4, 10), None);
}
