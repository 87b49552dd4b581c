//! The whole matrix of production: every machine to every listening socket of every other one, and from the
//! host; and that nobody who listens between them understands anything. Proves S1 and S4's transit half.

use crate::flows::{differences, topology};
use crate::load;
use crate::prod::healthy;
use andamio_testkit::host::missing;
use andamio_testkit::wait::until;
use andamio_testkit::{Abandoned, Need, Running, Sandbox, Scenario, Steps};
use std::fs;
use std::process::Command;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "flows", need: Need::Machines, run: all };

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::of_checkout();
    let s = &sandbox;
    for (env, machines) in [("staging", 10), ("prod", 15)] {
        steps.must(&format!("up {env}"), || {
            drop(s.ok(&["up", env]));
            drop(healthy(s, env, machines));
        })?;
        let mut ways = 0;
        steps.step(&format!("what answers in {env} is the table"), || {
            let (differences, tried) = differences(s, env, &[]);
            ways = tried;
            assert!(differences.is_empty(), "{differences:#?}");
        });
        steps.figure(&format!("{env}_ways_tried"), ways);
        let title = format!("a listener between the machines of {env} reads nothing");
        match missing(&["tcpdump"]) {
            Some(why) => steps.skip(&title, &why),
            None => drop(steps.step(&title, || overheard(s, env))),
        }
        steps.must(&format!("down {env}"), || drop(s.ok(&["down", env, "-y"])))?;
    }
    Ok(())
}

/// What an application and its services say to each other under load, against their passwords and words.
fn overheard(s: &Sandbox, env: &str) {
    let network = topology(s, env).network;
    let file = s.folder.join("overheard");
    let host = network.gateway();
    let only = format!("net {network} and not host {host} and tcp");
    let mut tcpdump = Command::new("tcpdump");
    tcpdump.args(["-i", "any", "-U", "-w"]).arg(&file).arg(only);
    let listener = Running::start(tcpdump);
    until("the capture's beginning", Duration::from_secs(10), || {
        fs::metadata(&file).map(drop).map_err(|e| e.to_string())
    });
    let url = healthy(s, env, topology(s, env).machines.len())["url"].as_str().unwrap().to_owned();
    let accounts = load::accounts(s, env, 20);
    let loaded = load::start(&url, &accounts, 50, 15).join().unwrap();
    assert!(loaded["acknowledged"].as_u64().unwrap() > 100, "{loaded}");
    // A joiner's whole copy, and new connections of everything that had long ones.
    s.cut_power(env, "mariadb-2");
    drop(s.ok(&["up", env, "-y"]));
    // So that what is not found is known to be findable.
    let redis = topology(s, env).machine("redis-1").unwrap().address;
    s.on(env, "app-1", &format!("printf 'hello, listener\r\n' >/dev/tcp/{redis}/6379; true"));
    let holds = |heard: &[u8], what: &str| {
        heard.windows(what.len()).any(|window| window == what.as_bytes())
    };
    // What comes in is written with some delay.
    until("what was said in plain words", Duration::from_secs(10), || {
        let heard = fs::read(&file).map_err(|e| e.to_string())?;
        let latest = heard.get(heard.len().saturating_sub(1 << 20)..).unwrap_or_default();
        if holds(latest, "hello, listener") {
            Ok(())
        } else {
            Err(format!("{} bytes", heard.len()))
        }
    });
    drop(listener);
    let heard = fs::read(&file).unwrap();
    assert!(heard.len() > 1_000_000, "{} bytes", heard.len());
    let has = |what: &str| holds(&heard, what);
    let variables = s.on(env, "app-1", "cat /etc/andamio/app.env");
    let mut secrets: Vec<&str> = variables
        .lines()
        .filter(|line| line.contains("_URL="))
        .flat_map(|line| line.split(',').filter_map(|url| url.split_once("://")?.1.split_once('@')))
        .filter_map(|(login, _)| login.split_once(':').map(|(_, password)| password))
        .collect();
    secrets.dedup();
    assert!(secrets.len() >= 3, "{} passwords", secrets.len());
    let words = ["POST /api/v1", "GET /readyz", "INSERT INTO", "SELECT ", "E0000", "x-queue-type"];
    for what in words.iter().chain(&secrets) {
        assert!(!has(what), "{what} was overheard");
    }
}
