//! What production comes back from: twenty kills of the database's writer in a row, whole clusters without
//! power, a member of each from an empty disk. Proves E3 and K2 to K4.

use super::drills::RATE;
use crate::load;
use crate::prod::{self, drill, healthy, together, verify};
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(crate) const SCENARIO: Scenario = Scenario { name: "crashes", need: Need::Machines, run: all };

const KILLS: usize = 20;

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = prod::up(steps)?;
    let s = &sandbox;
    let mut gaps = Vec::new();
    steps.step("twenty kills of the writer's machine in a row lose nothing", || {
        for kill in 0..KILLS {
            let drill = drill(s, "prod", "database", "machine-kill", RATE);
            assert!(drill["passed"] == true && drill["lost"] == 0, "kill {kill}: {drill}");
            gaps.push(drill["longest_gap_ms"].clone());
        }
    });
    steps.figure("writer_kills_gap_ms", gaps);
    let groups: [(&str, &[&str]); 4] = [
        ("galera", &["mariadb-1", "mariadb-2", "mariadb-3"]),
        ("redis", &["redis-1", "redis-2", "redis-3"]),
        ("rabbitmq", &["rabbitmq-1", "rabbitmq-2", "rabbitmq-3"]),
        ("all", &[]),
    ];
    for (name, machines) in groups {
        let status = healthy(s, "prod", 15);
        let all = status["machines"].as_array().unwrap();
        let all: Vec<&str> = all.iter().map(|m| m["name"].as_str().unwrap()).collect();
        let machines = if machines.is_empty() { all.as_slice() } else { machines };
        let begun = Instant::now();
        steps.must(&format!("{name}: without power at once, then up"), || {
            together(s, "prod", machines)
        })?;
        steps.figure(&format!("{name}_back_s"), begun.elapsed().as_secs());
    }
    for machine in ["mariadb-2", "redis-2", "rabbitmq-2"] {
        let mut came = (0, json!(null));
        steps.must(&format!("{machine} from an empty disk under load"), || {
            came = under_load(s, 90, || {
                s.lose_disk("prod", machine);
                drop(s.ok(&["up", "prod", "-y"]));
            });
            assert!(came.1["missing"] == 0, "{}", came.1);
            // What the loss itself may cost, and no more.
            assert!(came.1["longest_gap_ms"].as_u64().unwrap() <= 3000, "{}", came.1);
            drop(verify(s, "prod"));
        })?;
        steps.figure(&format!("{machine}_replaced"), json!({ "s": came.0, "load": came.1 }));
    }
    steps.must("down", || drop(s.ok(&["down", "prod", "-y"])))
}

/// Does it in the middle of a load; how many seconds it took, and what the load came to.
pub(super) fn under_load(s: &Sandbox, seconds: u32, work: impl FnOnce()) -> (u64, Value) {
    let url = healthy(s, "prod", 15)["url"].as_str().unwrap().to_owned();
    let accounts = load::accounts(s, "prod", 50);
    let loading = load::start(&url, &accounts, 100, seconds);
    std::thread::sleep(Duration::from_secs(8));
    let begun = Instant::now();
    work();
    (begun.elapsed().as_secs(), loading.join().unwrap())
}
