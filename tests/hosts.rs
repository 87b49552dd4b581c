//! Servers that exist already: bare ones, that nothing of Andamio has been on, whose host keys nobody knows.
//! Asked, converged, served, purged and broken by hand, repaired; what cannot be done there is refused in plain words.
//! Proves the place `hosts` (the same convergence, no provisioning).

use crate::purge;
use crate::rack::{Rack, SMALL};
use andamio_testkit::{Abandoned, Need, Scenario, Steps};

pub(crate) const SCENARIO: Scenario = Scenario { name: "hosts", need: Need::Machines, run: all };

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let groups = [
        ("redis", 1, ""),
        ("mariadb", 1, ""),
        ("rabbitmq", 1, ""),
        ("app", 1, ""),
        ("balancer", 1, ""),
    ];
    let rack = steps.must("five bare servers are there", || Rack::start(SMALL, &groups))?;
    steps.step("an unknown host key is shown and not accepted, also with -y: 6", || unknown(&rack));
    rack.declare("root", |_| true);
    steps.must("plan creates nothing and changes much, and has changed nothing itself", || {
        let plan = rack.with_key(&["plan", "shop", "--json"]).expect(0).json();
        let machines = plan["machines"].as_array().unwrap();
        assert!(machines.len() == 5 && machines.iter().all(|m| m["action"] == "none"), "{plan}");
        assert!(plan["changes"].as_array().unwrap().len() > 40, "{plan}");
        assert!(plan["cost"].is_null(), "nobody pays for them again: {plan}");
    })?;
    steps.must("up", || drop(rack.with_key(&["up", "shop"]).expect(0)))?;
    steps.must("then the plan is empty, with the instance's own key alone", || rack.is_empty())?;
    steps.step("status is healthy, with a release, which is served over TLS", || rack.serves(5));
    steps.step("db, exec, run and logs", || rack.is_usable());
    steps.step("no package started its service before its configuration was there", || {
        let journal = rack.on("mariadb-1", "journalctl -q -o cat -u mariadb.service");
        assert_eq!(journal.matches("Started mariadb.service").count(), 1, "{journal}");
        rack.on("rabbitmq-1", "test ! -e /usr/sbin/policy-rc.d");
    });
    steps.step("what somebody removes is brought back by one up, and not a record is lost", || {
        purge::some(&rack);
    });
    steps.step("who could log in before still can", || {
        let keys = rack.on("redis-1", "cat /root/.ssh/authorized_keys");
        // The person's, and of Andamio the environment's and the actor's.
        assert_eq!(keys.lines().count(), 3, "{keys}");
        assert!(rack.on("redis-1", "sshd -T").lines().all(|l| !l.contains("allowusers")));
        assert!(rack.on("redis-1", "hostname").contains("server-"));
    });
    steps.step("what is broken by hand is named, and repaired exactly", || drift(&rack));
    steps.step("the operator's key, removed by hand, comes back with the person's", || {
        let file = "/root/.ssh/authorized_keys";
        rack.on("redis-1", &format!("sed -i /andamio/d {file}"));
        let plan = rack.without_key(&["plan", "shop", "--json"]).expect(0).json();
        assert!(plan.to_string().contains("unreachable"), "{plan}");
        let _ = rack.with_key(&["up", "shop"]).expect(0);
        rack.is_empty();
    });
    steps.step("down removes nothing, says what stays: 3", || {
        let ended = rack.without_key(&["down", "shop", "-y"]).expect(3);
        assert!(ended.stderr.contains("stay as they are"), "{ended}");
        rack.is_empty();
    });
    steps.step("a user without sudo, and another key than the known one: 6, all at once", || {
        for server in ["redis-1", "mariadb-1"] {
            rack.on(
                server,
                "useradd -m deb && cp -r /root/.ssh /home/deb/ && chown -R deb: /home/deb",
            );
        }
        rack.declare("deb", |group| group == "redis");
        let ended = rack.with_key(&["up", "shop"]).expect(6);
        assert!(ended.stderr.contains("deb cannot become root"), "{ended}");
        assert!(ended.stderr.contains("another host key than the known one"), "{ended}");
    });
    Ok(())
}

fn unknown(rack: &Rack) {
    rack.declare("root", |_| false);
    for verb in ["plan", "up"] {
        let ended = rack.with_key(&["-y", verb, "shop"]).expect(6);
        assert!(ended.stderr.contains("nobody vouches for the host key of"), "{ended}");
        assert!(
            ended.stderr.contains("SHA256:") && ended.stderr.contains("host_key = "),
            "{ended}"
        );
    }
    let last = rack.with_key(&["-y", "up", "shop", "--json"]).expect(6).lines().pop().unwrap();
    assert_eq!(last["type"], "result", "{last}");
}

fn drift(rack: &Rack) {
    rack.on("redis-1", "echo hacked >> /etc/motd; echo mine > /etc/mine");
    rack.on("mariadb-1", "systemctl stop mariadb.service");
    let plan = rack.without_key(&["plan", "shop", "--json"]).expect(0).json();
    let named = |machine: &str, resource: &str| {
        let changes = plan["changes"].as_array().unwrap();
        let is = |c: &&serde_json::Value| c["machine"] == machine && c["resource"] == resource;
        assert!(changes.iter().any(|c| is(&c) && c["reason"] == "drift"), "{resource}: {plan}");
    };
    named("redis-1", "file:/etc/motd");
    named("mariadb-1", "unit:mariadb.service");
    let last = rack.without_key(&["up", "shop", "--json"]).expect(0).lines().pop().unwrap();
    assert_eq!(last["changed"], 2, "{last}");
    rack.is_empty();
    assert!(rack.on("redis-1", "cat /etc/mine").contains("mine"));
}
