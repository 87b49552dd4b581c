//! What a client is told when its request is wrong, and who may ask.

use crate::support::{Emulator, ask, command};
use serde_json::{Value, json};
use std::fs;
use std::io::Read;

fn pairs(errors: &[(String, String)]) -> Vec<(&str, &str)> {
    errors.iter().map(|(field, reason)| (field.as_str(), reason.as_str())).collect()
}

#[test]
fn errors_name_their_field() {
    let emulator = Emulator::start(&["--pace", "0"]);
    let errors = emulator.post("/linode/instances", &json!({})).errors(400);
    assert_eq!(pairs(&errors), [("region", "region is required"), ("type", "type is required")]);
    let wrong = json!({"region": "nowhere", "type": "huge", "image": "linode/none"});
    let errors = emulator.post("/linode/instances", &wrong).errors(400);
    let fields: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["region", "type", "image"], "all at once");
    for (path, body, field) in [
        (
            "/linode/instances",
            json!({"region": "es-mad", "type": "g6-nanode-1", "image": "linode/debian12"}),
            "root_pass",
        ),
        (
            "/linode/instances",
            json!({"region": "es-mad", "type": "g6-nanode-1", "interface_generation": "linode"}),
            "interface_generation",
        ),
        (
            "/linode/instances",
            json!({"region": "es-mad", "type": "g6-nanode-1", "metadata": {"user_data": "#"}}),
            "metadata.user_data",
        ),
        (
            "/linode/instances",
            json!({"region": "es-mad", "type": "g6-nanode-1", "firewall_id": 7}),
            "firewall_id",
        ),
        (
            "/linode/instances",
            json!({"region": "es-mad", "type": "g6-nanode-1", "stackscript_id": 7}),
            "stackscript_id",
        ),
        ("/vpcs", json!({"label": "a--b", "region": "es-mad"}), "label"),
        ("/vpcs", json!({"label": "a", "region": "us-east"}), "region"),
        (
            "/vpcs",
            json!({"label": "a", "region": "es-mad", "subnets": [{"label": "s", "ipv4": "8.8.8.0/24"}]}),
            "subnets[0].ipv4",
        ),
        ("/networking/firewalls", json!({"label": "fw", "rules": {}}), "label"),
        ("/networking/firewalls", json!({"label": "edge", "rules": {}}), "rules.inbound_policy"),
        ("/volumes", json!({"label": "v", "region": "es-mad", "size": 5}), "size"),
        ("/volumes", json!({"label": "v"}), "region"),
        (
            "/nodebalancers",
            json!({"region": "es-mad", "client_conn_throttle": 21}),
            "client_conn_throttle",
        ),
        (
            "/placement/groups",
            json!({"label": "p", "region": "es-mad", "placement_group_type": "affinity", "placement_group_policy": "strict"}),
            "placement_group_type",
        ),
        ("/domains", json!({"domain": "example.com", "type": "master"}), "soa_email"),
        ("/profile/sshkeys", json!({"label": "k", "ssh_key": "nothing"}), "ssh_key"),
        ("/object-storage/buckets", json!({"label": "bucket"}), "region"),
        ("/object-storage/buckets", json!({"label": "bucket", "region": "es-mad"}), "region"),
        ("/object-storage/keys", json!({}), "label"),
        ("/tags", json!({"label": "x"}), "label"),
    ] {
        let errors = emulator.post(path, &body).errors(400);
        assert_eq!(errors[0].0, field, "{path} {body}: {errors:?}");
    }
    assert_eq!(emulator.get("/linode/instances").ok()["results"], 0, "nothing was half made");
    assert_eq!(emulator.get("/vpcs").ok()["results"], 0, "not even a VPC with a bad subnet");
}

#[test]
fn a_label_is_there_once() {
    let emulator = Emulator::start(&["--pace", "0"]);
    let volume = |label: &str| json!({"label": label, "region": "es-mad", "size": 10});
    let first = emulator.made("/volumes", &volume("one"));
    let second = emulator.made("/volumes", &volume("two"));
    for errors in [
        emulator.post("/volumes", &volume("ONE")).errors(400),
        emulator.put(&format!("/volumes/{second}"), &json!({"label": "one"})).errors(400),
    ] {
        assert_eq!(pairs(&errors), [("label", "Label must be unique among your volumes")]);
    }
    emulator.put(&format!("/volumes/{first}"), &json!({"label": "one"})).ok();
    emulator.put(&format!("/volumes/{first}"), &json!({"label": "free"})).ok();
    emulator.put(&format!("/volumes/{second}"), &json!({"label": "one"})).ok();
}

#[test]
fn what_is_not_there_says_so_in_json() {
    let emulator = Emulator::start(&[]);
    for path in [
        "/linode/instances/1",
        "/linode/instances/x",
        "/vpcs/0",
        "/nothing",
        "/object-storage/buckets/fr-par/none",
    ] {
        assert_eq!(pairs(&emulator.get(path).errors(404)), [("", "Not found")], "{path}");
    }
    assert_eq!(emulator.delete("/profile").errors(405).len(), 1);
}

#[test]
fn the_token_is_the_only_one_and_stays_a_secret() {
    let state = tempfile::TempDir::new().unwrap();
    let token = "s3cret-t0ken-of-this-test";
    let mut child = command(state.path(), &["--token", token, "--pace", "0"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut said = Vec::new();
    while said.last() != Some(&b'\n') {
        let mut byte = [0];
        assert_eq!(stdout.read(&mut byte).unwrap(), 1, "it ended");
        said.push(byte[0]);
    }
    let line = String::from_utf8(said).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    let get = |headers: &str, path: &str| ask(address, "GET", path, headers, None).unwrap();
    let good = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(get(&good, "/account").status, 200);
    for headers in ["", "Authorization: Bearer other\r\n", "Authorization: Basic eDp5\r\n"] {
        assert_eq!(get(headers, "/account").errors(401)[0].1, "Invalid Token");
    }
    assert_eq!(get("", "/linode/types").status, 200, "prices are for everybody");
    let body = json!({"label": "seen"});
    assert_eq!(ask(address, "POST", "/tags", &good, Some(&body)).unwrap().status, 200);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let mut all = [line.into_bytes(), output.stderr].concat();
    stdout.read_to_end(&mut all).unwrap();
    for file in fs::read_dir(state.path()).unwrap() {
        all.extend(fs::read(file.unwrap().path()).unwrap());
    }
    let all = String::from_utf8_lossy(&all);
    assert!(all.contains("seen") && !all.contains(token), "the token is somewhere");
}

#[test]
fn a_body_that_is_no_object_and_one_too_large() {
    let emulator = Emulator::start(&[]);
    assert_eq!(emulator.post("/tags", &json!([1])).errors(400).len(), 1);
    let large = Value::String("x".repeat(2 << 20));
    assert_eq!(emulator.post("/tags", &json!({"label": large})).errors(413).len(), 1);
}
