//! A person with a phone: signs in, punches in and out, sees both records and signs the month.

use andamio_testkit::wait::until;
use andamio_testkit::webdriver::Browser;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// `accounts`: JSON Lines of `ficharfirm seed`; the last one is used, whom the load leaves the least
/// to see.
pub(crate) fn month(folder: &Path, url: &str, accounts: &str) {
    let account: Value = serde_json::from_str(accounts.lines().last().unwrap()).unwrap();
    let of = |key: &str| account[key].as_str().unwrap().to_owned();
    let browser = Browser::start(folder);
    browser.open(url);
    browser.fill("employee", &of("employee"));
    browser.fill("pin", "000000");
    browser.click("sign-in");
    browser.reads("status", "refusal of a wrong PIN", |text| !text.is_empty());
    browser.fill("pin", &of("pin"));
    browser.click("sign-in");
    browser.reads("who", "the employee's number", |text| text == of("employee"));
    let before = records(&browser);
    browser.click("punch-in");
    browser.reads("status", "Clocked in", |text| text.starts_with("Clocked in"));
    browser.click("punch-out");
    browser.reads("status", "Clocked out", |text| text.starts_with("Clocked out"));
    // The page asks for the month again after it has said so.
    until("both records on the page", Duration::from_secs(10), || match records(&browser) {
        count if count == before + 2 => Ok(()),
        count => Err(format!("{count} after {before}")),
    });
    browser.click("sign-month");
    browser.reads("status", "the worker's signature", |text| text == "The month is signed.");
    browser.reads("seal", "Signed", |text| text == "Signed");
    // The page stays signed in when it is loaded again, and fits the phone.
    browser.open(url);
    browser.reads("seal", "Signed", |text| text == "Signed");
    let overflow = "document.documentElement.scrollWidth - window.innerWidth";
    let overflow = browser.evaluate(overflow).as_i64().unwrap();
    assert!(overflow <= 0, "the page is {overflow} pixels wider than the phone");
}

fn records(browser: &Browser) -> u64 {
    let count = "document.querySelectorAll('#records tbody tr').length";
    browser.evaluate(count).as_u64().unwrap()
}
