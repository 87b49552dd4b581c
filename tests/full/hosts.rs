//! Fifteen bare servers become production: all roles, Galera and the other clusters. Proves E3 on servers that exist.

use crate::purge;
use crate::rack::{FICHARFIRM, Rack};
use andamio_testkit::{Abandoned, Need, Scenario, Steps};
use std::time::Instant;

pub(crate) const SCENARIO: Scenario = Scenario { name: "hosts", need: Need::Machines, run: all };

const GROUPS: [(&str, usize, &str); 6] = [
    ("app", 3, ""),
    ("mariadb", 3, ", layout = \"galera\""),
    ("redis", 3, ""),
    ("rabbitmq", 3, ""),
    ("balancer", 2, ", layout = \"single\""),
    ("ops", 1, ""),
];

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let rack = steps.must("fifteen bare servers are there", || Rack::start(FICHARFIRM, &GROUPS))?;
    rack.declare("root", |_| true);
    let begin = Instant::now();
    let mut events = Vec::new();
    steps.must("up", || events = rack.with_key(&["up", "shop", "--json"]).expect(0).lines())?;
    steps.figure("up_s", begin.elapsed().as_secs());
    let steps_done =
        events.iter().filter(|event| event["type"] == "event" && event["resource"].is_null());
    let seconds: serde_json::Map<String, serde_json::Value> = steps_done
        .filter(|event| event["state"] == "ok" || event["state"] == "changed")
        .filter_map(|event| {
            Some((event["step"].as_str()?.to_owned(), event["ms"].as_u64()?.div_ceil(1000).into()))
        })
        .collect();
    steps.figure("step_s", seconds);
    steps.must("the plan is empty, with the instance's own key alone", || rack.is_empty())?;
    steps.step("healthy, with a release, served over TLS by both balancers", || rack.serves(15));
    steps.step("db, exec, run and logs", || rack.is_usable());
    let mut drills = serde_json::Map::new();
    steps.step("drills of services: no acknowledged record is lost, and all is put back", || {
        for target in ["app", "database", "cache", "queue"] {
            for fault in ["stop", "process-kill"] {
                let drill = rack.drill(target, fault);
                assert_eq!(drill["lost"], 0, "{drill}");
                let seen = ["longest_gap_ms", "failures", "requests", "passed"];
                let seen = seen.map(|key| (key.to_owned(), drill[key].clone()));
                drills.insert(format!("{target} {fault}"), seen.into_iter().collect());
            }
        }
        rack.is_empty();
    });
    steps.figure("drills", drills);
    let before = steps.must("the drills have left records", || {
        let records = rack.records();
        assert!(records["records"].as_u64() > Some(0), "{records}");
        records
    })?;
    let mut purged = serde_json::Map::new();
    steps.step("every package and part of one member of each cluster, one after the other", || {
        let groups = ["mariadb", "redis", "rabbitmq", "balancer", "app", "ops"];
        let failures = purge::figures(&rack, &groups, &mut purged);
        assert!(failures.is_empty(), "{failures:#?}");
    });
    steps.figure("purged_up_s", purged);
    steps.step("served as before, and no record is lost", || {
        rack.serves(15);
        assert_eq!(rack.records(), before);
    });
    Ok(())
}
