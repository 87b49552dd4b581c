//! The three environments on one machine at the same time, under load, none able to reach another. Proves E1
//! to E3 beside each other.

use crate::flows::listening;
use crate::load;
use crate::prod::{healthy, verify};
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps};
use serde_json::Value;

pub(crate) const SCENARIO: Scenario = Scenario { name: "beside", need: Need::Machines, run: all };

/// Name, machines, requests a second.
const ENVIRONMENTS: [(&str, usize, u32); 3] =
    [("dev", 4, 20), ("staging", 10, 50), ("prod", 15, 100)];
const SECONDS: u32 = 60;

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::of_checkout();
    let s = &sandbox;
    for (env, machines, _) in ENVIRONMENTS {
        steps.must(&format!("up {env}"), || {
            drop(s.ok(&["up", env]));
            drop(healthy(s, env, machines));
        })?;
    }
    steps.step("no machine of one reaches a socket of another", || strangers(s));
    let mut loads = Vec::new();
    steps.step("all three answer under load", || {
        let running = ENVIRONMENTS.map(|(env, machines, rate)| {
            let url = healthy(s, env, machines)["url"].as_str().unwrap().to_owned();
            (env, url, load::accounts(s, env, rate / 2), rate)
        });
        let running = running
            .map(|(env, url, accounts, rate)| (env, load::start(&url, &accounts, rate, SECONDS)));
        for (env, load) in running {
            loads.push((env, load.join().unwrap()));
        }
        for (env, load) in &loads {
            assert!(load["failures"] == 0 && load["missing"] == 0, "{env}: {load}");
        }
    });
    for (env, load) in loads {
        steps.figure(&format!("{env}_load"), load);
    }
    let mut memory = 0;
    for (env, machines, _) in ENVIRONMENTS {
        steps.step(&format!("{env} is healthy, whole and as declared"), || {
            let status = healthy(s, env, machines);
            let of = |machine: &Value| machine["memory_bytes"].as_u64().unwrap();
            memory += status["machines"].as_array().unwrap().iter().map(of).sum::<u64>();
            drop(verify(s, env));
        });
    }
    steps.figure("memory_mib", memory >> 20);
    for (env, ..) in ENVIRONMENTS {
        steps.must(&format!("down {env}"), || drop(s.ok(&["down", env, "-y"])))?;
    }
    Ok(())
}

/// From one machine of each to every socket of the others.
fn strangers(s: &Sandbox) {
    let all = ENVIRONMENTS.map(|(env, ..)| (env, listening(s, env)));
    for (from, _) in &all {
        let others = all.iter().filter(|(env, _)| env != from).flat_map(|(_, sockets)| sockets);
        let tries: Vec<String> = others
            .map(|(to, address, port)| {
                format!("(timeout 2 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo {to} {port}) &")
            })
            .collect();
        assert!(tries.len() > 30, "{} sockets", tries.len());
        let open = s.on(from, "app-1", &format!("{} wait", tries.join(" ")));
        assert!(open.is_empty(), "from {from}: {open}");
    }
}
