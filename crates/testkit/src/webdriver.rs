//! A headless browser, driven as the W3C's WebDriver specification says.

use crate::command::Running;
use crate::http::{self, Answer};
use crate::wait::until;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Key of an element's id in the protocol, fixed by the specification.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const START: Duration = Duration::from_secs(60);
const SHOWN: Duration = Duration::from_secs(20);

pub struct Browser {
    authority: String,
    session: String,
    driver: Running,
}

impl Browser {
    /// A phone-sized window with a profile of its own in `folder`.
    #[must_use]
    pub fn start(folder: &Path) -> Self {
        let mut command = Command::new("chromedriver");
        // Chromium keeps crash reports and settings below the home folder, and is to leave none.
        command.arg("--port=0").env("HOME", folder).env("TMPDIR", folder);
        let driver = Running::start(command);
        let port = driver.line("chromedriver's port", START, |line| {
            let rest = line.split("started successfully on port ").nth(1)?;
            rest.trim().trim_end_matches('.').parse::<u16>().ok()
        });
        let authority = format!("127.0.0.1:{}", port.expect("chromedriver ended"));
        let arguments = [
            "--headless=new".to_owned(),
            // Its own sandbox does not work for root.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--window-size=390,844".to_owned(),
            "--no-proxy-server".to_owned(),
            format!("--user-data-dir={}", folder.join("profile").display()),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": arguments },
        } } });
        let answer = http::request(&authority, "POST", "/session", Some(&wanted)).unwrap();
        let session = value(&answer)["sessionId"].as_str().expect("a session").to_owned();
        Self { authority, session, driver }
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let path = format!("/session/{}{path}", self.session);
        http::request(&self.authority, method, &path, body).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        value(&self.ask("POST", path, Some(body)))
    }

    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// The element with this id, once it is on the page and shown.
    fn element(&self, id: &str) -> String {
        let selector = json!({ "using": "css selector", "value": format!("#{id}") });
        until(&format!("#{id} on the page"), SHOWN, || {
            let answer = self.ask("POST", "/element", Some(&selector));
            let found: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            let element = found["value"][ELEMENT].as_str().ok_or(answer.body)?.to_owned();
            let shown = self.ask("GET", &format!("/element/{element}/displayed"), None);
            if shown.body.contains("true") { Ok(element) } else { Err("it is hidden".to_owned()) }
        })
    }

    pub fn click(&self, id: &str) {
        let element = self.element(id);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    pub fn fill(&self, id: &str, text: &str) {
        let element = self.element(id);
        self.post(&format!("/element/{element}/clear"), &json!({}));
        self.post(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Waits until the element's text is what is looked for.
    pub fn reads(&self, id: &str, what: &str, is_it: impl Fn(&str) -> bool) {
        let element = self.element(id);
        until(&format!("#{id}: {what}"), SHOWN, || {
            let answer = self.ask("GET", &format!("/element/{element}/text"), None);
            let text = value(&answer);
            let text = text.as_str().unwrap_or_default();
            if is_it(text) { Ok(()) } else { Err(format!("it reads `{text}`")) }
        });
    }

    /// What an expression on the page is worth.
    pub fn evaluate(&self, expression: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": format!("return {expression}"), "args": [] }))
    }
}

fn value(answer: &Answer) -> Value {
    assert!(answer.status == 200, "the web driver answered {}: {}", answer.status, answer.body);
    let mut document: Value = serde_json::from_str(&answer.body).unwrap();
    document["value"].take()
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session; the driver alone would leave it running.
        let path = format!("/session/{}", self.session);
        let _ = http::request(&self.authority, "DELETE", &path, None);
        self.driver.kill();
    }
}
