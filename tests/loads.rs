//! `load` and the load of drills on an application that has no program for it: what is declared is sent, or GET
//! of its readiness, and nobody counts records.

use crate::small;
use andamio_testkit::wait::until;
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps, sandbox::DEADLINE};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "load", need: Need::Machines, run: all };

const READY: &str = "ready = \"/v4/regions\"\n";
/// Nobody may see these without a token, and any will do.
/// The program takes 200 of them a minute and then says 429: the loads before Ctrl-C together are fewer.
const GUARDED: &str = "path = \"/v4/linode/instances\"";

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = small::project(1);
    let s = &sandbox;
    steps.step("nothing is live yet: it says so, and sends nothing", || {
        let ended = s.run(&["load", "one", "--rate", "5", "--seconds", "1", "-y"]).expect(1);
        assert!(ended.stderr.contains("andamio up one"), "{ended}");
    });
    steps.must("up", || drop(s.ok(&["up", "one", "-y"])))?;
    steps.step("nothing declared: GET of what its readiness is asked", || {
        let load = load(s, "20", "3", 0);
        assert_eq!((&load["sent"], &load["from"]), (&"GET /v4/regions".into(), &"app-1".into()));
        assert_eq!((&load["requests"], &load["failures"]), (&60.into(), &0.into()), "{load}");
        assert_eq!((&load["acknowledged"], &load["missing"]), (&Value::Null, &Value::Null));
        assert!(load["longest_gap_ms"].as_u64().unwrap() < 1000, "{load}");
    });
    steps.step("outside dev it asks first", || {
        let ended = s.run(&["load", "one", "--rate", "5", "--seconds", "1"]).expect(3);
        assert!(ended.stderr.contains("5 requests a second"), "{ended}");
    });
    steps.step("declared requests: weights, headers and statuses count", || {
        declare(
            s,
            &format!(
                "{{ path = \"/v4/regions\", weight = 3 }}, \
                 {{ {GUARDED}, headers = {{ Authorization = \"Bearer any\" }} }}, \
                 {{ {GUARDED}, status = [401] }}, {{ {GUARDED} }}"
            ),
        );
        let load = load(s, "12", "2", 0);
        assert_eq!((&load["requests"], &load["failures"]), (&24.into(), &4.into()), "{load}");
        assert_eq!(load["causes"], serde_json::json!({"status 401": 4}));
    });
    steps.step("--out is made or replaced, and is what --json says", || {
        let file = s.folder.join("load.json");
        for rate in ["5", "6"] {
            let words = ["load", "one", "--rate", rate, "--seconds", "1", "-y", "--json", "--out"];
            let said = s.ok(&[&words[..], &[file.to_str().unwrap()]].concat()).json();
            let written: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            assert_eq!(written, said);
        }
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    });
    steps.step("not a single success is a failure, and no other is", || {
        declare(s, &format!("{{ {GUARDED} }}"));
        assert_eq!(load(s, "5", "1", 1)["failures"], 5);
        let ended = s.run(&["load", "one", "--rate", "5", "--seconds", "1", "-y"]).expect(1);
        assert!(ended.stderr.contains("not one of 5"), "{ended}");
    });
    steps.step("Ctrl-C ends it early, with the figures so far", || {
        declare(s, "{ path = \"/v4/regions\" }");
        let long = s.start(&["load", "one", "--rate", "20", "--seconds", "600", "-y", "--json"]);
        wait_until_sending(s, true);
        std::thread::sleep(Duration::from_secs(3));
        long.interrupt();
        let ended = long.end(DEADLINE).expect(130);
        let requests = ended.json()["requests"].as_u64().unwrap();
        assert!((20..2000).contains(&requests), "{ended}");
    });
    steps.step("nothing goes on sending when the operator is killed", || {
        let mut long = s.start(&["load", "one", "--rate", "20", "--seconds", "600", "-y"]);
        wait_until_sending(s, true);
        long.kill();
        wait_until_sending(s, false);
    });
    steps.step("a drill loads it too, and no record is lost or counted", || {
        declare(s, "{ path = \"/v4/regions\", status = [200, 429] }");
        let drill = ["drill", "one", "app", "stop", "--rate", "50", "-y", "--json"];
        let lines = s.ok(&drill).lines();
        let drill = lines.iter().find(|line| line["type"] == "drill").unwrap();
        assert_eq!((&drill["lost"], &drill["acknowledged"]), (&Value::Null, &Value::Null));
        assert!(drill["passed"] == true && drill["requests"] == 1500, "{drill}");
        assert!(drill["failures"].as_u64().unwrap() > 100, "{drill}");
    });
    steps.must("down leaves nothing", || {
        drop(s.ok(&["down", "one", "-y"]));
        assert!(s.leftovers("one").is_empty(), "{:?}", s.leftovers("one"));
    })
}

fn load(s: &Sandbox, rate: &str, seconds: &str, code: i32) -> Value {
    let words = ["load", "one", "--rate", rate, "--seconds", seconds, "-y", "--json"];
    s.run(&words).expect(code).json()
}

/// Says in `andamio.toml` what is sent.
fn declare(s: &Sandbox, requests: &str) {
    let text = fs::read_to_string(s.file()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("load = "));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let load = format!("{READY}load = {{ requests = [{requests}] }}\n");
    s.rewrite(&text.replacen(READY, &load, 1));
}

fn wait_until_sending(s: &Sandbox, wanted: bool) {
    until("the machine sends, or has ended to", DEADLINE, || {
        let found = s.on("one", "app-1", "pgrep -f 'node load$' || true");
        if found.trim().is_empty() != wanted { Ok(()) } else { Err(format!("`{found}`")) }
    });
}
