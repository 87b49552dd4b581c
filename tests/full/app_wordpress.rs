//! `examples/wordpress`: Debian's WordPress, nothing of it changed. A browser installs it, logs in and reads a post with
//! an image; a power cut and another release later it reads the same. Proves P1 for an application that nobody here made.

use andamio_testkit::wait::until;
use andamio_testkit::webdriver::Browser;
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps, run};
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) const SCENARIO: Scenario =
    Scenario { name: "app-wordpress", need: Need::Machines, run: all };

const PASSWORD: &str = "correct-horse-battery-staple-9";
/// A picture of one pixel (the PNG specification's smallest form), in Base64.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// Pages of a first visit compile PHP.
const SHOWN: Duration = Duration::from_secs(30);

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let example = run::checkout().join("examples/wordpress");
    let sandbox = Sandbox::new(&fs::read_to_string(example.join("andamio.toml")).unwrap());
    let s = &sandbox;
    let copied = Command::new("cp").arg("-r").arg(example.join("app")).arg(&s.folder).status();
    assert!(copied.unwrap().success());
    let begun = Instant::now();
    let url = steps.must("up: built from Debian's packages, live", || {
        drop(s.ok(&["up", "dev", "-y"]));
        let status = s.ok(&["status", "dev", "--json"]).json();
        assert_eq!(status["healthy"], true, "{status}");
        status["url"].as_str().unwrap().to_owned()
    })?;
    steps.figure("first_up_s", begun.elapsed().as_secs());
    let browser = Browser::start(&s.folder);
    let b = &browser;
    steps.must("a browser installs it and logs in", || {
        b.open(&format!("{url}/wp-admin/install.php"));
        let fields = [
            ("weblog_title", "Blog"),
            ("user_login", "ana"),
            ("pass1", PASSWORD),
            ("admin_email", "ana@example.org"),
        ];
        for (field, value) in fields {
            let _ = b.evaluate(&format!("document.getElementById('{field}').value = '{value}'"));
        }
        b.click("submit");
        shows(b, "Success!");
        b.open(&format!("{url}/wp-login.php"));
        b.fill("user_login", "ana");
        b.fill("user_pass", PASSWORD);
        b.click("wp-submit");
        shows(b, "Dashboard");
    })?;
    let post = steps.must("a post with an image is published", || publish(b))?;
    let reads = || {
        b.open(&post);
        shows(b, "A post that stays");
        let width = "document.getElementById('shot').naturalWidth";
        until("the image of the post", SHOWN, || match b.evaluate(width).as_u64() {
            Some(1) => Ok(()),
            width => Err(format!("its width is {width:?}")),
        });
    };
    steps.must("everybody reads it", reads)?;
    steps.step("nothing is left to do", || drop(s.run(&["plan", "dev", "--exit-code"]).expect(0)));
    steps.must("after power cuts of both machines it reads the same", || {
        s.cut_power("dev", "app-1");
        s.cut_power("dev", "mariadb-1");
        drop(s.ok(&["up", "dev", "-y"]));
        reads();
    })?;
    let again = steps.must("a changed line of its source installs nothing again", || {
        let site = s.folder.join("app/site.conf");
        let text = fs::read_to_string(&site).unwrap();
        fs::write(&site, format!("ServerName blog\n{text}")).unwrap();
        let took = s.ok(&["up", "dev", "-y"]).took;
        reads();
        took
    })?;
    steps.figure("second_release_s", again.as_secs());
    steps.step("nothing is left to do", || drop(s.run(&["plan", "dev", "--exit-code"]).expect(0)));
    steps.must("down", || drop(s.ok(&["down", "dev", "-y"])))
}

fn shows(browser: &Browser, text: &str) {
    until(&format!("`{text}` on the page"), SHOWN, || {
        let body = browser.evaluate("document.body ? document.body.innerText : ''");
        let body = body.as_str().unwrap_or_default();
        if body.contains(text) { Ok(()) } else { Err(body.chars().take(300).collect()) }
    });
}

/// By XML-RPC, which WordPress's own programs for phones speak. Answers the post's address.
fn publish(browser: &Browser) -> String {
    let account = format!(
        "<param><value>1</value></param><param><value>ana</value></param><param><value>{PASSWORD}</value></param>"
    );
    let picture = format!(
        "<member><name>name</name><value>shot.png</value></member><member><name>type</name><value>image/png</value></member>\
         <member><name>bits</name><value><base64>{PICTURE}</base64></value></member>"
    );
    let uploaded = call(browser, "wp.uploadFile", &account, &picture);
    let (_, image) = uploaded.split_once("<name>url</name><value><string>").unwrap();
    let (image, _) = image.split_once('<').unwrap();
    let post = format!(
        "<member><name>post_title</name><value>A post that stays</value></member>\
         <member><name>post_status</name><value>publish</value></member>\
         <member><name>post_content</name><value>&lt;img id=\"shot\" src=\"{image}\"&gt;</value></member>"
    );
    let made = call(browser, "wp.newPost", &account, &post);
    let (_, number) = made.split_once("<string>").unwrap();
    let (number, _) = number.split_once('<').unwrap();
    let origin = browser.evaluate("location.origin");
    format!("{}/?p={number}", origin.as_str().unwrap())
}

fn call(browser: &Browser, method: &str, account: &str, members: &str) -> String {
    let body = format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>{account}\
         <param><value><struct>{members}</struct></value></param></params></methodCall>"
    );
    let script = format!(
        "(function () {{ const asked = new XMLHttpRequest(); asked.open('POST', '/xmlrpc.php', false); \
         asked.send({}); return asked.responseText; }})()",
        Value::from(body)
    );
    let answer = browser.evaluate(&script).as_str().unwrap().to_owned();
    assert!(!answer.contains("<fault>"), "{method}: {answer}");
    // Spaces between the tags are the server's taste.
    answer.split('>').map(str::trim_start).collect::<Vec<_>>().join(">")
}
