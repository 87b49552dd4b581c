//! Every package of every role, its files, folders, accounts, units and data: removed one after the other in dev and on one
//! member of each of production's clusters. One `up` each, an empty plan, and no record lost. Proves E1, E3 and what
//! drift means.

use crate::prod::{drill, healthy, verify};
use crate::purge::{self, Broken};
use andamio_testkit::{Abandoned, Ended, Need, Sandbox, Scenario, Steps};

pub(crate) const SCENARIO: Scenario = Scenario { name: "purge", need: Need::Machines, run: all };

struct Environment<'a> {
    sandbox: &'a Sandbox,
    env: &'static str,
}

impl Broken for Environment<'_> {
    fn run(&self, words: &[&str]) -> Ended {
        self.sandbox.run(words)
    }

    fn env(&self) -> &str {
        self.env
    }
}

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::of_checkout();
    let s = &sandbox;
    let environments = [
        ("dev", 4, &["mariadb", "redis", "rabbitmq", "app"][..]),
        ("prod", 15, &["mariadb", "redis", "rabbitmq", "balancer", "app", "ops"]),
    ];
    for (env, machines, groups) in environments {
        steps.must(&format!("up {env}, with records"), || {
            drop(s.ok(&["up", env]));
            drop(healthy(s, env, machines));
            // `seed` makes employees; the load of a drill makes their records.
            drop(drill(s, env, "app", "process-kill", 50));
        })?;
        let before = steps.must(&format!("{env}: there are records, and they verify"), || {
            let records = verify(s, env);
            assert!(records["records"].as_u64() > Some(0), "{records}");
            records
        })?;
        let mut purged = serde_json::Map::new();
        steps.step(&format!("{env}: what is removed comes back with one up"), || {
            let failures = purge::figures(&Environment { sandbox: s, env }, groups, &mut purged);
            assert!(failures.is_empty(), "{failures:#?}");
        });
        steps.figure(&format!("{env}_up_s"), purged);
        // In dev the last of them was the database itself.
        if env == "prod" {
            steps.step("prod: the balancer's keepalived, too", || {
                let line = format!("{} keepalived", purge::PURGE);
                let _ = purge::one(&Environment { sandbox: s, env }, "balancer", &line);
            });
            steps.step("no record is lost", || assert_eq!(verify(s, env), before));
        }
        steps.must(&format!("down {env}"), || drop(s.ok(&["down", env, "-y"])))?;
    }
    Ok(())
}
