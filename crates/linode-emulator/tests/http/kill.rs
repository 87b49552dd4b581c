//! `kill -9`: what was acknowledged is there afterwards, and what was under way goes on.

use crate::support::{Emulator, ask, command};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const TOKEN: &str = "Authorization: Bearer x\r\n";
const WRITERS: u64 = 8;

/// Writes until nobody answers; returns what was acknowledged.
fn write(address: &str, round: u64, writer: u64) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let label = format!("tag-{round}-{writer}-{number}");
        match ask(address, "POST", "/tags", TOKEN, Some(&json!({"label": label}))) {
            Some(answer) if answer.status == 200 => acknowledged.push(label),
            Some(answer) => panic!("{}", answer.body),
            None => break,
        }
    }
    acknowledged
}

#[test]
fn no_acknowledged_change_is_lost() {
    let mut state = TempDir::new().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..5 {
        let emulator = Emulator::on(state, &["--no-rate-limits"]);
        let address = emulator.address();
        state = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    scope.spawn({
                        let address = &address;
                        move || write(address, round, writer)
                    })
                })
                .collect();
            thread::sleep(Duration::from_millis(60 + round * 35));
            let state = emulator.kill();
            acknowledged.extend(writers.into_iter().flat_map(|w| w.join().unwrap()));
            state
        });
    }
    assert!(acknowledged.len() > 50, "only {} were acknowledged", acknowledged.len());
    let emulator = Emulator::on(state, &["--no-rate-limits"]);
    let mut found = BTreeSet::new();
    for page in 1.. {
        let body = emulator.get(&format!("/tags?page_size=500&page={page}")).ok();
        found.extend(
            body["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|t| t["label"].as_str().unwrap().to_owned()),
        );
        if body["pages"] == page {
            break;
        }
    }
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acknowledged.len());
}

#[test]
fn work_goes_on_where_it_was() {
    let emulator = Emulator::start(&["--pace", "600000"]);
    let body = json!({"region": "es-mad", "type": "g6-nanode-1", "label": "slow", "image": "linode/debian12",
        "root_pass": "correct-horse-battery"});
    let id = emulator.made("/linode/instances", &body);
    let events =
        emulator.until("the start", "/account/events", |b| b["data"][0]["status"] == "started");
    let event = events["data"][0]["id"].clone();
    let emulator = Emulator::on(emulator.kill(), &["--pace", "0"]);
    emulator.status(id, "running");
    let event = emulator.get(&format!("/account/events/{event}")).ok();
    assert_eq!(event["status"], "finished", "the same event: {event}");
    let other =
        emulator.made("/linode/instances", &json!({"region": "es-mad", "type": "g6-nanode-1"}));
    assert!(other > id, "an id is never given twice");
}

#[test]
fn a_last_line_that_was_cut_off_is_dropped_and_any_other_is_refused() {
    let emulator = Emulator::start(&[]);
    emulator.made("/volumes", &json!({"label": "kept", "region": "es-mad", "size": 10}));
    let state = emulator.kill();
    let journal = state.path().join("journal.0");
    let mut file = OpenOptions::new().append(true).open(&journal).unwrap();
    file.write_all(b"0123456789abcdef {\"last_id\":1").unwrap();
    let emulator = Emulator::on(state, &[]);
    assert_eq!(emulator.get("/volumes").ok()["data"][0]["label"], "kept");
    emulator.made("/volumes", &json!({"label": "after", "region": "es-mad", "size": 10}));
    let emulator = Emulator::on(emulator.kill(), &[]);
    assert_eq!(emulator.get("/volumes").ok()["results"], 2, "it goes on behind the cut");

    let state = emulator.kill();
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replacen("kept", "bent", 1)).unwrap();
    let refused = command(state.path(), &[]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("journal.0 is damaged"), "{said}");
}

#[test]
fn a_state_is_one_emulators() {
    let emulator = Emulator::start(&[]);
    let second = command(emulator.state.path(), &[]).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        second.status.code() == Some(1) && said.contains("in use by another emulator"),
        "{said}"
    );
}
