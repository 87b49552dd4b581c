//! Faults that are asked for.

use crate::support::{Emulator, ask};
use serde_json::json;

const TOKEN: &str = "Authorization: Bearer x\r\n";

#[test]
fn every_second_request_goes_wrong_and_changes_nothing() {
    for (fault, status, reason) in [
        ("429", 429, "Too many requests"),
        ("500", 500, "Internal server error"),
        ("503", 503, "Service unavailable"),
        ("408", 408, "Request timed out"),
        ("busy", 400, "Linode busy."),
    ] {
        let emulator = Emulator::start(&["--fault", &format!("{fault}:2:POST:/tags")]);
        emulator.post("/tags", &json!({"label": "one"})).ok();
        let refused = emulator.post("/tags", &json!({"label": "two"}));
        assert_eq!(refused.errors(status)[0].1, reason, "{fault}");
        assert_eq!(refused.headers.contains_key("retry-after"), fault == "429");
        assert_eq!(emulator.get("/tags").ok()["results"], 1, "{fault} did something");
        emulator.post("/tags", &json!({"label": "two"})).ok();
    }
}

#[test]
fn an_answer_that_never_comes() {
    for (fault, done) in [("timeout", 0), ("lost", 1)] {
        let emulator =
            Emulator::start(&["--timeout", "50", "--fault", &format!("{fault}:1:POST:/tags")]);
        let tag = json!({"label": "one"});
        assert!(ask(&emulator.address(), "POST", "/tags", TOKEN, Some(&tag)).is_none(), "{fault}");
        assert_eq!(emulator.get("/tags").ok()["results"], done, "{fault}");
    }
}
