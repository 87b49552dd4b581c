//! Pages, filters, and rate limits.

use crate::support::{Emulator, ask};
use serde_json::json;

#[test]
fn pages_and_filters() {
    let emulator = Emulator::start(&["--pace", "0"]);
    for number in 1..=60 {
        let kind = if number % 2 == 0 { "even" } else { "odd" };
        let key = json!({"label": format!("{kind}-{number:02}"), "ssh_key": "ssh-ed25519 AAAA"});
        emulator.made("/profile/sshkeys", &key);
    }
    let page = emulator.get("/profile/sshkeys?page=3&page_size=25").ok();
    assert_eq!(
        (&page["page"], &page["pages"], &page["results"]),
        (&json!(3), &json!(3), &json!(60))
    );
    assert_eq!(page["data"].as_array().unwrap().len(), 10);
    let beyond = emulator.get("/profile/sshkeys?page=9").ok();
    assert_eq!((&beyond["data"], &beyond["results"]), (&json!([]), &json!(60)));
    for (query, field) in [
        ("page_size=24", "page_size"),
        ("page_size=501", "page_size"),
        ("page=0", "page"),
        ("page=x", "page"),
    ] {
        assert_eq!(emulator.get(&format!("/profile/sshkeys?{query}")).errors(400)[0].0, field);
    }
    let filter = json!({"label": {"+contains": "odd"}, "+order_by": "label", "+order": "desc"});
    let odd = emulator.filtered("/profile/sshkeys?page_size=25", &filter.to_string()).ok();
    assert_eq!((&odd["results"], &odd["data"][0]["label"]), (&json!(30), &json!("odd-59")));
    let wrong = emulator.filtered("/profile/sshkeys", r#"{"lable": "x"}"#).errors(400);
    assert_eq!(wrong[0].1, "Cannot filter on lable");
    assert_eq!(emulator.filtered("/profile/sshkeys", "no json").status, 400);
}

#[test]
fn tags_follow_what_carries_them() {
    let emulator = Emulator::start(&["--pace", "0"]);
    let volume = json!({"label": "v", "region": "es-mad", "size": 10, "tags": ["red", "blue"]});
    let id = emulator.made("/volumes", &volume);
    assert_eq!(emulator.get("/tags").ok()["results"], 2);
    let tagged = emulator.get("/tags/red").ok();
    assert_eq!(
        (&tagged["data"][0]["type"], &tagged["data"][0]["data"]["id"]),
        (&json!("volume"), &json!(id))
    );
    emulator.delete("/tags/red").ok();
    assert_eq!(emulator.get(&format!("/volumes/{id}")).ok()["tags"], json!(["blue"]));
}

#[test]
fn one_request_too_many_waits() {
    let emulator = Emulator::start(&["--pace", "0"]);
    let body = json!({"region": "es-mad", "type": "g6-nanode-1"});
    // A window may end in the middle: of 41 in a row, 21 are in one.
    let refused =
        (0..41).map(|_| emulator.post("/linode/instances", &body)).find(|a| a.status != 200);
    let refused = refused.expect("21 instances were made in 15 seconds");
    assert_eq!(refused.errors(429)[0].1, "Too many requests");
    let header = |name: &str| refused.headers[name].parse::<u64>().unwrap();
    assert_eq!((header("x-ratelimit-limit"), header("x-ratelimit-remaining")), (20, 0));
    assert!((1..=15).contains(&header("retry-after")), "{}", header("retry-after"));
    assert_eq!(emulator.get("/account").headers["x-ratelimit-limit"], "1600");
    assert_eq!(emulator.get("/volumes").headers["x-ratelimit-limit"], "200");
    let other = ask(
        &emulator.address(),
        "POST",
        "/linode/instances",
        "Authorization: Bearer y\r\n",
        Some(&body),
    );
    assert_eq!(other.unwrap().status, 200, "another token has a count of its own");

    let unlimited = Emulator::start(&["--pace", "0", "--no-rate-limits"]);
    for _ in 0..41 {
        unlimited.made("/linode/instances", &body);
    }
}
