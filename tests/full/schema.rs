//! How long a change of a table with a million rows keeps a Galera cluster from writing, by the way in which
//! it is made. Proves K2, and says which way a migration should take.

use crate::load;
use crate::prod::healthy;
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps, run};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

pub(crate) const SCENARIO: Scenario = Scenario { name: "schema", need: Need::Machines, run: all };

const ENV: &str = "schema";
const RATE: u32 = 50;
const SECONDS: u32 = 45;

/// Name, and SQL on the table `big`.
const WAYS: [(&str, &str); 5] = [
    ("a column, at once", "ALTER TABLE big ADD COLUMN note varchar(20), ALGORITHM=INSTANT"),
    ("an index, in place", "ALTER TABLE big ADD INDEX who (who), ALGORITHM=NOCOPY"),
    (
        "the same, online on request",
        "ALTER TABLE big ADD INDEX at (at), ALGORITHM=NOCOPY, LOCK=NONE",
    ),
    ("a wider number, by a copy", "ALTER TABLE big MODIFY who bigint NOT NULL, ALGORITHM=COPY"),
    (
        "an index, one member after the other",
        "SET SESSION wsrep_osu_method=RSU; ALTER TABLE big ADD INDEX both_of (who, at); SET SESSION wsrep_osu_method=TOI",
    ),
];

fn toml() -> String {
    let own = fs::read_to_string(run::checkout().join("andamio.toml")).unwrap();
    let application = own.split("# ---- the three").next().unwrap();
    format!(
        "{application}\n[environments.{ENV}]\napp = {{ machines = 1, size = \"4x8\" }}\n\
         mariadb = {{ machines = 3, layout = \"galera\" }}\nredis = {{ machines = 1 }}\n\
         rabbitmq = {{ machines = 1 }}\n"
    )
}

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let sandbox = Sandbox::beside_checkout(&toml());
    let s = &sandbox;
    let mut url = String::new();
    steps.must("up", || {
        drop(s.ok(&["up", ENV]));
        healthy(s, ENV, 6)["url"].as_str().unwrap().clone_into(&mut url);
    })?;
    steps.must("a table of a million rows", || {
        sql(s, "mariadb-1", "CREATE TABLE big (id int PRIMARY KEY, who int NOT NULL, at datetime NOT NULL, text varchar(60) NOT NULL)");
        for part in 0..10 {
            let (from, to) = (part * 100_000 + 1, (part + 1) * 100_000);
            sql(s, "mariadb-1", &format!(
                "INSERT INTO big SELECT seq, seq % 977, '2026-01-01' + INTERVAL seq SECOND, REPEAT('x', 50) FROM seq_{from}_to_{to}"
            ));
        }
    })?;
    let accounts = load::accounts(s, ENV, 20);
    let mut quiet = json!(null);
    steps.step("without any change nothing fails", || {
        quiet = load::start(&url, &accounts, RATE, SECONDS).join().unwrap();
        assert!(quiet["failures"] == 0 && quiet["missing"] == 0, "{quiet}");
    });
    steps.figure("quiet", quiet);
    for (name, statement) in WAYS {
        let mut came: (f64, Value) = (0.0, json!(null));
        steps.step(name, || {
            let loading = load::start(&url, &accounts, RATE, SECONDS);
            std::thread::sleep(Duration::from_secs(8));
            let begun = Instant::now();
            let members: &[&str] = if statement.contains("RSU") {
                // The one that takes the writes is the last.
                &["mariadb-3", "mariadb-2", "mariadb-1"]
            } else {
                &["mariadb-1"]
            };
            members.iter().for_each(|member| sql(s, member, statement));
            came.0 = begun.elapsed().as_secs_f64();
            came.1 = loading.join().unwrap();
            assert!(came.1["missing"] == 0, "{}", came.1);
        });
        steps.figure(name, json!({ "statement_s": came.0, "load": came.1 }));
    }
    steps.must("down", || drop(s.ok(&["down", ENV, "-y"])))
}

fn sql(s: &Sandbox, machine: &str, statement: &str) {
    s.on(ENV, machine, &format!("mariadb ficharfirm -e {statement:?}"));
}
