//! The life of an instance and what hangs on it.

use crate::support::Emulator;
use serde_json::{Value, json};

fn instance(label: &str) -> Value {
    json!({
        "region": "es-mad", "type": "g6-nanode-1", "label": label, "image": "linode/debian12",
        "root_pass": "correct-horse-battery",
    })
}

#[test]
fn an_instance_is_made_boots_and_goes_with_its_events() {
    let emulator = Emulator::start(&["--pace", "5"]);
    let made = emulator.post("/linode/instances", &instance("web-1")).ok();
    assert_eq!(made["status"], "provisioning");
    let id = made["id"].as_u64().unwrap();
    emulator.status(id, "running");
    let path = format!("/linode/instances/{id}");
    let disks = emulator.get(&format!("{path}/disks")).ok();
    assert_eq!((&disks["results"], &disks["data"][0]["status"]), (&json!(2), &json!("ready")));
    let sizes = disks["data"].as_array().unwrap().iter().map(|d| d["size"].as_u64().unwrap());
    assert_eq!(sizes.sum::<u64>(), 25_600, "the disks fill the type");

    assert_eq!(emulator.post(&format!("{path}/shutdown"), &json!({})).ok(), json!({}));
    emulator.status(id, "offline");
    emulator.post(&format!("{path}/boot"), &Value::Null).ok();
    emulator.status(id, "running");
    emulator.delete(&path).ok();
    emulator.until("it to be gone", &path, |body| body["errors"][0]["reason"] == "Not found");

    let filter =
        json!({"entity.id": id, "entity.type": "linode", "+order_by": "created", "+order": "desc"});
    let events = emulator.filtered("/account/events?page=1", &filter.to_string()).ok();
    let actions: Vec<&str> =
        events["data"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    let wanted =
        ["linode_delete", "linode_boot", "linode_shutdown", "linode_boot", "linode_create"];
    assert_eq!(actions, wanted, "they outlive it, newest first");
    let finished = |e: &Value| e["status"] == "finished" && e["percent_complete"] == 100;
    assert!(events["data"].as_array().unwrap().iter().all(finished), "{events}");
}

#[test]
fn one_thing_at_a_time() {
    // Slow enough that the first is surely under way.
    let emulator = Emulator::start(&["--pace", "2000"]);
    let id = emulator.made("/linode/instances", &instance("busy"));
    for action in ["boot", "reboot", "shutdown"] {
        let answer = emulator.post(&format!("/linode/instances/{id}/{action}"), &json!({}));
        assert_eq!(answer.errors(400), [(String::new(), "Linode busy.".to_owned())], "{action}");
    }
    let disk = json!({"label": "more", "size": 100});
    let answer = emulator.post(&format!("/linode/instances/{id}/disks"), &disk);
    assert_eq!(answer.errors(400)[0].1, "Linode busy.");
    let renamed = emulator.put(&format!("/linode/instances/{id}"), &json!({"label": "still"}));
    assert_eq!(renamed.ok()["label"], "still", "what needs no work is done at once");
}

#[test]
fn what_hangs_on_an_instance_is_free_when_it_goes() {
    let emulator = Emulator::start(&["--pace", "0"]);
    let vpc = emulator.post(
        "/vpcs",
        &json!({"label": "v", "region": "es-mad", "subnets": [{"label": "s", "ipv4": "10.0.0.0/24"}]}),
    );
    let vpc = vpc.ok();
    let (vpc, subnet) = (&vpc["id"], &vpc["subnets"][0]["id"]);
    let mut wanted = instance("inside");
    wanted["interfaces"] = json!([{"purpose": "vpc", "subnet_id": subnet, "primary": true}]);
    let id = emulator.made("/linode/instances", &wanted);
    emulator.status(id, "running");
    let volume = emulator.made(
        "/volumes",
        &json!({"label": "data", "region": "es-mad", "size": 10, "linode_id": id}),
    );
    let rules = json!({"inbound_policy": "DROP", "outbound_policy": "ACCEPT"});
    let firewall = emulator.made(
        "/networking/firewalls",
        &json!({"label": "edge", "rules": rules, "devices": {"linodes": [id]}}),
    );
    let path = format!("/vpcs/{vpc}/subnets/{subnet}");
    assert_eq!(emulator.get(&path).ok()["linodes"][0]["id"], id);
    assert_eq!(emulator.delete(&path).status, 400, "a subnet in use");
    assert_eq!(emulator.delete(&format!("/volumes/{volume}")).status, 400, "an attached volume");

    emulator.delete(&format!("/linode/instances/{id}")).ok();
    emulator.until("its end", &format!("/linode/instances/{id}"), |b| b["errors"].is_array());
    assert_eq!(emulator.get(&format!("/volumes/{volume}")).ok()["linode_id"], Value::Null);
    let devices = emulator.get(&format!("/networking/firewalls/{firewall}/devices")).ok();
    assert_eq!(devices["results"], 0);
    emulator.delete(&path).ok();
    emulator.delete(&format!("/volumes/{volume}")).ok();
}

#[test]
fn what_must_not_be_null_is_not() {
    let emulator = Emulator::start(&["--pace", "0"]);
    let plain = json!({"region": "es-mad", "type": "g6-nanode-1"});
    let made = emulator.post("/linode/instances", &plain).ok();
    for field in ["alerts", "backups", "specs", "ipv4", "tags", "label", "group"] {
        assert!(!made[field].is_null(), "{field}");
    }
    let id = &made["id"];
    assert!(emulator.get(&format!("/linode/instances/{id}/ips")).ok()["ipv4"]["vpc"].is_array());
    emulator.status(id.as_u64().unwrap(), "offline");
    let config = json!({"label": "empty", "devices": {}});
    let config = emulator.post(&format!("/linode/instances/{id}/configs"), &config).ok();
    assert!(config["devices"].is_object() && config["helpers"].is_object(), "{config}");
    let balancer = emulator.made("/nodebalancers", &json!({"region": "es-mad"}));
    let config = emulator.post(&format!("/nodebalancers/{balancer}/configs"), &json!({})).ok();
    assert_eq!(config["nodes_status"], json!({"up": 0, "down": 0}));
    let rule = json!({"action": "ACCEPT", "protocol": "TCP", "label": "ssh", "ports": "22",
        "addresses": {"ipv4": ["0.0.0.0/0"], "ipv6": []}});
    let rules = json!({"inbound": [rule], "inbound_policy": "DROP", "outbound_policy": "ACCEPT"});
    let firewall =
        emulator.post("/networking/firewalls", &json!({"label": "edge", "rules": rules})).ok();
    let addresses = firewall["rules"]["inbound"][0]["addresses"].as_object().unwrap();
    assert!(!addresses.contains_key("ipv6"), "what is unset is left out: {addresses:?}");
}
