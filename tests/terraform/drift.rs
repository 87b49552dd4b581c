//! `andamio plan --on linode`: the tree against andamio.toml, and what it refuses.

use andamio_testkit::{Ended, Sandbox, Steps, command, run, sandbox::DEADLINE};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

pub(crate) fn all(steps: &mut Steps) {
    steps.step("the checkout's tree is what its andamio.toml says: plan shows nothing", || {
        for env in super::ENVIRONMENTS {
            let sandbox = Sandbox::of_checkout();
            let document = sandbox.run(&["plan", env, "--on", "linode", "--exit-code", "--json"]);
            let document = document.expect(0).json();
            assert_eq!(document["empty"], true, "{document}");
            assert_eq!(document["cost"]["month_before"], document["cost"]["month_after"], "{env}");
        }
    });
    steps.step("what was changed by hand is shown, asked for, and overwritten", by_hand);
    steps.step("a changed andamio.toml shows the lines, and the money", changed);
    steps.step("over budget is 3, unless it is accepted with a reason", budget);
    steps.step("a limit that is exceeded is 3, and names its rule", limits);
    steps.step("docs/costs.md shows what `cost` prints, item by item", || {
        let said = Sandbox::of_checkout().ok(&["cost", "--place", "linode"]).stdout;
        let document = fs::read_to_string(run::checkout().join("docs/costs.md")).unwrap();
        let blocks: Vec<&str> = said.trim().split("\n\n").collect();
        assert!(blocks.len() == 4, "three environments and where the prices come from: {said}");
        for block in blocks {
            assert!(document.contains(block), "not in docs/costs.md:\n{block}");
        }
    });
    steps.step("`cost --json` is the contract's document", || {
        let sandbox = Sandbox::of_checkout();
        for env in super::ENVIRONMENTS {
            let cost = sandbox.ok(&["cost", env, "--place", "linode", "--json"]).json();
            assert!(cost["type"] == "cost" && cost["env"] == env && cost["currency"] == "EUR");
            let sum: f64 = cost["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| {
                    assert!(item["name"].is_string() && item["type"].is_string(), "{item}");
                    assert!(item["count"].as_u64() > Some(0), "{item}");
                    item["month"].as_f64().unwrap()
                })
                .sum();
            // Each item is rounded by itself.
            let total = cost["total_month"].as_f64().unwrap();
            assert!((sum - total).abs() < 0.05, "{sum} {cost}");
            assert!(total <= cost["budget"].as_f64().unwrap(), "{cost}");
            assert!(cost["rate"]["usd_eur"].is_f64() && cost["rate"]["date"].is_string(), "{cost}");
        }
    });
    steps.step("`up` at Linode is refused in plain words", || {
        let sandbox = project("");
        let ended = sandbox.run(&["up", "prod", "--on", "linode"]).expect(64);
        assert!(
            ended.stderr.contains("cannot make machines") && ended.stderr.contains("--render"),
            "{ended}"
        );
        assert!(!sandbox.state().exists());
    });
    steps.step("only a place of kind linode is rendered", || {
        let ended = project("").run(&["plan", "prod", "--on", "local", "--render"]).expect(64);
        assert!(ended.stderr.contains("--on linode"), "{ended}");
    });
}

/// The checkout's project, with another line or two.
fn project(replace: &str) -> Sandbox {
    let text = fs::read_to_string(run::checkout().join("andamio.toml")).unwrap();
    let text = match replace.split_once(" => ") {
        Some((from, to)) => {
            assert!(text.contains(from), "andamio.toml has no `{from}`");
            text.replace(from, to)
        }
        None => text,
    };
    let sandbox = Sandbox::new(&text);
    for env in super::ENVIRONMENTS {
        let (from, to) = (tfvars(&run::checkout(), env), tfvars(&sandbox.folder, env));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
    sandbox
}

fn tfvars(root: &std::path::Path, env: &str) -> PathBuf {
    root.join("terraform/environments").join(env).join("terraform.tfvars")
}

fn plan(sandbox: &Sandbox, more: &[&str]) -> Ended {
    let mut arguments = vec!["plan", "prod", "--on", "linode"];
    arguments.extend(more);
    sandbox.run(&arguments)
}

fn by_hand() {
    let sandbox = project("");
    let file = tfvars(&sandbox.folder, "prod");
    let declared = fs::read_to_string(&file).unwrap();
    let mine = declared
        .replace("machines   = 3\n    max        = 6", "machines   = 5\n    max        = 6");
    assert_ne!(declared, mine);
    fs::write(&file, &mine).unwrap();
    let shown = plan(&sandbox, &["--exit-code"]).expect(2);
    for line in ["-    machines   = 5", "+    machines   = 3", "would be overwritten"] {
        assert!(shown.stdout.contains(line), "{line}: {shown}");
    }
    // Nobody is there to be asked.
    let refused = plan(&sandbox, &["--render"]).expect(3);
    assert!(refused.stderr.contains("overwrites"), "{refused}");
    assert_eq!(fs::read_to_string(&file).unwrap(), mine, "refused and yet changed");
    drop(plan(&sandbox, &["--render", "-y"]).expect(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), declared);
    drop(plan(&sandbox, &["--exit-code"]).expect(0));
    // A first one loses nothing, so nobody has to be asked.
    fs::remove_file(&file).unwrap();
    drop(plan(&sandbox, &["--render"]).expect(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), declared);
}

fn changed() {
    let sandbox = project("machines = 3, max = 6 => machines = 4, max = 6");
    let document = plan(&sandbox, &["--json", "--exit-code"]).expect(2).json();
    let change = &document["changes"][0];
    assert!(change["diff"].as_str().unwrap().contains("+    machines   = 4"), "{change}");
    assert_eq!(change["resource"], "terraform/environments/prod/terraform.tfvars");
    // One more g6-standard-4: 48 USD at 0.9605.
    let month = |key: &str| document["cost"][key].as_f64().unwrap();
    let more = month("month_after") - month("month_before");
    assert!((more - 46.10).abs() < 0.02, "{more}");
    let shown = plan(&sandbox, &[]).expect(0);
    assert!(shown.stdout.contains("(+46.1"), "{shown}");
}

fn budget() {
    let sandbox = project("budget   = 1000 => budget   = 500");
    let refused = plan(&sandbox, &["--json"]).expect(3).json();
    let refusal = &refused["refusals"][0];
    assert_eq!(refusal["code"], "budget", "{refusal}");
    assert_eq!(refusal["rule"], "environments.prod.budget", "{refusal}");
    let accepted =
        plan(&sandbox, &["--json", "--accept", "budget=agreed with Marta"]).expect(0).json();
    assert_eq!(accepted["refusals"], Value::Array(Vec::new()));
    assert!(accepted["notes"].to_string().contains("agreed with Marta"), "{accepted}");
    for wrong in ["budget", "budget=", "quota=please"] {
        let ended = plan(&sandbox, &["--accept", wrong]).expect(64);
        assert!(ended.stderr.contains("--accept budget="), "{ended}");
    }
    let cost = sandbox.ok(&["cost", "prod", "--place", "linode"]);
    assert!(cost.stdout.contains("over the budget of 500"), "{cost}");
}

/// `check` finds them too; a plan of a file that was accepted by an older version refuses as well.
fn limits() {
    let cases = [
        ("machines = 24, => machines = 14,", "limit-machines"),
        ("storage = \"1 TB\", => storage = \"100 GB\",", "limit-storage"),
        ("bandwidth = \"200 Mbit/s\" => bandwidth = \"20 Gbit/s\"", "limit-bandwidth"),
        ("transfer = \"10 TB/month\" => transfer = \"900 TB/month\"", "limit-transfer"),
        (
            "limits   = { machines = 24, => limits   = { size = \"2x8\", machines = 24,",
            "limit-size",
        ),
    ];
    for (replace, code) in cases {
        let sandbox = project(replace);
        for words in [&["check"][..], &["plan", "prod", "--on", "linode"]] {
            let ended = sandbox.run(words).expect(5);
            assert!(format!("{}{}", ended.stdout, ended.stderr).contains(code), "{ended}");
        }
    }
    // Larger than anything that is sold: only a plan at Linode can say so.
    let sandbox = project("size = \"4x8\" => size = \"64x512\"");
    let refused = plan(&sandbox, &["--json"]).expect(3).json();
    let rules = refused["refusals"].to_string();
    assert!(rules.contains("environments.prod.app.size") && rules.contains("quota"), "{rules}");
    let mut command = Command::new(run::built("andamio"));
    command.arg("-f").arg(sandbox.folder.join("andamio.toml"));
    command.args(["plan", "prod", "--on", "linode", "--render", "-y"]);
    drop(command::run(command, DEADLINE).expect(3));
}
