//! The production environment of ficharfirm on this host, fifteen machines: up, served, scanned, its
//! database's writer killed under load, all of a cluster without power at once, taken down. Proves E3, K2 to
//! K4 and S1.

use crate::{flows, renewal};
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps};
use serde_json::Value;

pub(crate) const SCENARIO: Scenario = Scenario { name: "prod", need: Need::Machines, run: all };

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = up(steps)?;
    let s = &sandbox;
    steps.step("plan --exit-code is 0", || {
        drop(s.run(&["plan", "prod", "--exit-code"]).expect(0));
    });
    steps.step(
        "a balancer, a database and the ops machine reach what the table says, no more",
        || {
            let (differences, tried) =
                flows::differences(s, "prod", &["balancer-1", "mariadb-2", "ops-1"]);
            assert!(differences.is_empty() && tried > 100, "{tried} tried: {differences:#?}");
        },
    );
    steps.step("machines sign what they show anew, their services take it up, and for others they sign in vain", || {
        renewal::by_themselves(s, "prod", &["mariadb-2", "redis-1", "app-1", "balancer-1"]);
        renewal::for_nobody_else(s, "prod", "redis-1", "mariadb-1");
    });
    steps.step(
        "the machine of the database's writer is killed under load: nothing is lost",
        || {
            let drill = drill(s, "prod", "database", "machine-kill", 100);
            assert!(drill["passed"] == true && drill["lost"] == 0, "{drill}");
        },
    );
    steps.step(
        "all of Galera without power at once, then up; before that, one is enough for db and exec",
        || {
            s.cut_power("prod", "mariadb-1");
            let name = s.ok(&["db", "prod", "--", "SELECT @@hostname"]).stdout;
            assert!(name.contains("mariadb-2") || name.contains("mariadb-3"), "{name}");
            let ended = s.ok(&["exec", "prod", "mariadb", "--", "hostname"]);
            assert_eq!(ended.stdout, "mariadb-2\n");
            assert!(ended.stderr.contains("mariadb-1 does not run"), "{ended}");
            together(s, "prod", &["mariadb-2", "mariadb-3"]);
        },
    );
    steps.must("down leaves nothing", || {
        drop(s.ok(&["down", "prod", "-y"]));
        assert!(s.leftovers("prod").is_empty(), "{:#?}", s.leftovers("prod"));
    })
}

/// Production, for a scenario that goes on with it.
pub(crate) fn up(steps: &mut Steps) -> Result<Sandbox, Abandoned> {
    let sandbox = Sandbox::of_checkout();
    steps.must("up: fifteen machines, every service healthy", || {
        drop(sandbox.ok(&["up", "prod"]));
        drop(healthy(&sandbox, "prod", 15));
    })?;
    Ok(sandbox)
}

/// Every machine runs and every service is healthy.
pub(crate) fn healthy(s: &Sandbox, env: &str, machines: usize) -> Value {
    let status = s.run(&["status", env, "--json"]).expect(0).json();
    assert_eq!(status["machines"].as_array().unwrap().len(), machines, "{status}");
    status
}

/// The `drill` object of one drill, whatever it came to.
pub(crate) fn drill(s: &Sandbox, env: &str, target: &str, fault: &str, rate: u32) -> Value {
    let rate = rate.to_string();
    let ended = s.run(&["drill", env, target, fault, "--rate", &rate, "-y", "--json"]);
    let found = ended.lines().into_iter().find(|line| line["type"] == "drill");
    found.unwrap_or_else(|| panic!("{ended}"))
}

/// Cuts the power of these at the same time; `up` brings them back, and every record is there.
pub(crate) fn together(s: &Sandbox, env: &str, machines: &[&str]) {
    for machine in machines {
        s.cut_power(env, machine);
    }
    drop(s.ok(&["up", env, "-y"]));
    drop(verify(s, env));
}

/// How many employees, records and signatures there are, all of them unbroken.
pub(crate) fn verify(s: &Sandbox, env: &str) -> Value {
    let ended = s.ok(&["run", env, "--", "ficharfirm", "verify", "--json"]);
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(answer["breaks"], 0, "{answer}");
    drop(s.run(&["plan", env, "--exit-code"]).expect(0));
    answer
}
