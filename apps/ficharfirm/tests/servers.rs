//! The program against real servers, as its users see it. Without servers (see README) every test here says
//! so in one line and counts as ignored.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program with a harness of its own: clippy does not see that it is one"
)]

mod support;

use serde_json::json;
use support::{Account, Site, month};

fn main() -> std::process::ExitCode {
    support::main(&[
        ("a_day_from_signing_in_to_a_signed_month", a_day_from_signing_in_to_a_signed_month),
        ("employees_reach_only_what_is_theirs", employees_reach_only_what_is_theirs),
        ("punches_at_once_make_one_chain", punches_at_once_make_one_chain),
        ("the_erased_are_gone_and_the_chain_holds", the_erased_are_gone_and_the_chain_holds),
        (
            "limits_are_per_employee_and_count_failures_only",
            limits_are_per_employee_and_count_failures_only,
        ),
    ])
}

fn a_day_from_signing_in_to_a_signed_month(site: &Site) {
    let Account { employee, token } = site.account();
    let punch = json!({"id": format!("{employee}-in"), "employee": employee, "kind": "in"});

    let first = site.post("/api/v1/punches", Some(&token), &punch);
    assert_eq!(first.status, 201, "{}", first.body);
    let again = site.post("/api/v1/punches", Some(&token), &punch);
    assert_eq!((again.status, again.body), (200, first.body.clone()), "the same id counts once");

    let sheet = format!("/api/v1/employees/{employee}/timesheets/{}", month(&first.body));
    let read = site.get(&sheet, Some(&token));
    assert_eq!(read.body["records"][0]["hash"], first.body["hash"]);
    assert_eq!(read.body["signed"], false);

    assert_eq!(site.post(&format!("{sheet}/sign"), Some(&token), &json!({})).status, 202);
    site.until("the month is signed", || site.get(&sheet, Some(&token)).body["signed"] == true);
    assert_eq!(site.verify(), 0);
}

fn employees_reach_only_what_is_theirs(site: &Site) {
    let (one, other) = (site.account(), site.account());
    let id = format!("{}-x", one.employee);
    let punch = |employee: &str| json!({"id": id, "employee": employee, "kind": "in"});

    assert_eq!(site.post("/api/v1/punches", None, &punch(&one.employee)).status, 401);
    assert_eq!(site.post("/api/v1/punches", Some(&one.token), &punch(&other.employee)).status, 403);
    assert_eq!(site.post("/api/v1/punches", Some(&one.token), &punch(&one.employee)).status, 201);
    let taken = site.post("/api/v1/punches", Some(&other.token), &punch(&other.employee));
    assert_eq!(taken.status, 409);
    let sheet = format!("/api/v1/employees/{}/timesheets/2026-11", other.employee);
    assert_eq!(site.get(&sheet, Some(&one.token)).status, 403);
    let bad = format!("/api/v1/employees/{}/timesheets/2026-13", one.employee);
    assert_eq!(site.get(&bad, Some(&one.token)).status, 400);
}

fn punches_at_once_make_one_chain(site: &Site) {
    let account = site.account();
    let made: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
            .map(|i| {
                let account = &account;
                scope.spawn(move || {
                    let id = format!("{}-{i}", account.employee);
                    let punch = json!({"id": id, "employee": account.employee, "kind": "in"});
                    let answer = site.post("/api/v1/punches", Some(&account.token), &punch);
                    assert_eq!(answer.status, 201, "{}", answer.body);
                    answer.body["seq"].as_u64().unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let mut sorted = made;
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=12).collect::<Vec<_>>());
    assert_eq!(site.verify(), 0);
}

fn the_erased_are_gone_and_the_chain_holds(site: &Site) {
    let account = site.account();
    let punch = json!({"id": format!("{}-1", account.employee), "employee": account.employee, "kind": "in"});
    let made = site.post("/api/v1/punches", Some(&account.token), &punch);
    assert_eq!(made.status, 201);
    site.run(&["erase", "--employee", &account.employee]);
    let sheet = format!("/api/v1/employees/{}/timesheets/{}", account.employee, month(&made.body));
    assert_eq!(site.get(&sheet, Some(&account.token)).status, 401);
    assert_eq!(site.post("/api/v1/punches", Some(&account.token), &punch).status, 401);
    assert_eq!(site.verify(), 0);
}

fn limits_are_per_employee_and_count_failures_only(site: &Site) {
    let account = site.account();
    let status = format!("/api/v1/employees/{}/status", account.employee);
    let answers: Vec<u16> =
        (0..60).map(|_| site.get(&status, Some(&account.token)).status).collect();
    assert!(answers.iter().take(20).all(|s| *s == 200), "{answers:?}");
    assert!(answers.contains(&429), "60 requests in well under three seconds: {answers:?}");

    let guess = json!({"employee": account.employee, "pin": "no"});
    let guesses: Vec<u16> =
        (0..12).map(|_| site.post("/api/v1/sessions", None, &guess).status).collect();
    assert_eq!(guesses.iter().filter(|s| **s == 401).count(), 10, "{guesses:?}");
    assert_eq!(guesses.last(), Some(&429));
}
