//! The Terraform tree (T1 to T5): well-formed, valid by the official provider's schema, planned for all
//! three environments without a network, and what it lets through is the table of flows and nothing
//! else. Then `terraform.tfvars` against andamio.toml, which is the only source of it. Also C1 and K5 as
//! far as a plan can refuse.

mod drift;
mod expect;
pub(crate) mod tool;

use andamio_spec::{Group, Spec, parse};
use andamio_testkit::host::missing;
use andamio_testkit::{Abandoned, Need, Scenario, Steps, run};
use std::fs;
use tool::{Tool, Tree};

pub(crate) const SCENARIO: Scenario = Scenario { name: "terraform", need: Need::Nothing, run: all };

pub(crate) const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    drift::all(steps);
    steps.step("the three environments are the same modules, and differ in terraform.tfvars", same);
    checkov(steps);
    for name in ["terraform", "tofu"] {
        match missing(&[name, "go"]) {
            Some(missing) => steps.skip(&format!("the tree with {name}"), &missing),
            None => with(steps, name)?,
        }
    }
    Ok(())
}

fn with(steps: &mut Steps, name: &'static str) -> Result<(), Abandoned> {
    let tool =
        steps.must(&format!("{name}: a provider with the official schema"), || Tool::new(name))?;
    steps.step(&format!("{name} fmt"), || {
        let tree = run::checkout().join("terraform");
        let ended = tool.run(&tree, &["fmt", "-check", "-recursive", "-diff"]);
        assert!(ended.code == Some(0), "{ended}");
    });
    for env in ENVIRONMENTS {
        steps.step(
            &format!("{name}: {env} is valid, and its plan is what andamio.toml says"),
            || {
                let tree = Tree::copy();
                drop(tool.init(&tree, env).expect(0));
                drop(tool.run(&tree.environment(env), &["validate", "-no-color"]).expect(0));
                let plan = tool.plan(&tree, env, &[]);
                expect::plan(&spec(), env, &plan);
            },
        );
    }
    steps.step(&format!("{name}: the number of machines is the autoscaler's"), || scale(&tool));
    for wrong in WRONG {
        let title = format!("{name}: {} makes it fail", wrong.what);
        steps.step(&title, || broken(&tool, wrong));
    }
    for refused in REFUSED {
        let title = format!("{name}: {} is refused by the plan", refused.what);
        steps.step(&title, || refuses(&tool, refused));
    }
    steps.step(&format!("{name}: shared/backend.tf is a backend"), || backend(&tool));
    Ok(())
}

fn spec() -> Spec {
    let text = fs::read_to_string(run::checkout().join("andamio.toml")).unwrap();
    parse("andamio.toml", &text).spec.expect("the checkout's andamio.toml")
}

fn same() {
    let root = run::checkout().join("terraform/environments");
    let text = |env: &str, file: &str| {
        let text = fs::read_to_string(root.join(env).join(file)).unwrap();
        // Each main.tf says what its environment is.
        text.lines().skip_while(|l| l.starts_with('#')).collect::<Vec<_>>().join("\n")
    };
    for file in ["main.tf", "variables.tf", "outputs.tf"] {
        for env in ["staging", "prod"] {
            assert_eq!(text("dev", file), text(env, file), "{env}/{file}");
        }
    }
    for env in ENVIRONMENTS {
        let versions = text(env, "versions.tf");
        assert!(versions.contains(&format!("key          = \"{env}/terraform.tfstate\"")), "{env}");
    }
}

/// Each skip in the tree has its reason beside it.
fn checkov(steps: &mut Steps) {
    if let Some(missing) = missing(&["checkov"]) {
        steps.skip("checkov", &missing);
        return;
    }
    steps.step("checkov passes", || {
        let root = run::checkout().join("terraform");
        let report = tool::checkov(&root);
        let summary = &report["summary"];
        assert!(summary["passed"].as_u64() > Some(5), "it looked at nothing: {summary}");
        assert_eq!(summary["failed"], 0, "{}", report["results"]["failed_checks"]);
        for skipped in report["results"]["skipped_checks"].as_array().unwrap() {
            let reason = skipped["check_result"]["suppress_comment"].as_str().unwrap_or_default();
            assert!(reason.len() > 10, "skipped without a reason: {}", skipped["check_id"]);
        }
    });
}

/// A plan that names no number keeps the machines that run; one that does is held within `max`.
fn scale(tool: &Tool) {
    let tree = Tree::copy();
    drop(tool.init(&tree, "prod").expect(0));
    let apps = |running: u32, variables: &[&str]| {
        let labels: Vec<String> =
            (1..=running).map(|n| format!("\"ficharfirm-prod-app-{n}\"")).collect();
        let running = format!("[{}]", labels.join(","));
        let plan = tool.plan_with(&tree, "prod", variables, &[("ANDAMIO_TEST_RUNNING", &running)]);
        expect::machines(&plan).into_iter().filter(|m| m.name.starts_with("app-")).count()
    };
    let declared =
        spec().environments.iter().find(|e| e.name == "prod").unwrap().groups[&Group::App].clone();
    assert_eq!((declared.machines, declared.max), (3, 6), "this test counts on it");
    assert_eq!(apps(0, &[]), 3, "nothing runs yet");
    assert_eq!(apps(5, &[]), 5, "a person's plan takes none away");
    assert_eq!(apps(5, &["scale={app=4}"]), 4, "the autoscaler's does");
    assert_eq!(apps(5, &["scale={app=9}"]), 6, "never above max");
    assert_eq!(apps(5, &["scale={app=1}"]), 3, "never below what is declared");
    let failed = tool.try_plan(&tree, "prod", &["scale={web=4}"]);
    assert!(failed.stderr.contains("no such group"), "{failed}");
}

struct Wrong {
    what: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// What the complaint names.
    says: &'static str,
}

const WRONG: &[Wrong] = &[
    Wrong {
        what: "a wrong name of an attribute",
        file: "modules/compute/main.tf",
        from: "disk_encryption = \"enabled\"",
        to: "disk_encrypted = \"enabled\"",
        says: "disk_encrypted",
    },
    Wrong {
        what: "a wrong type",
        file: "modules/networking/main.tf",
        from: "check_interval = 5",
        to: "check_interval = [\"5\"]",
        says: "check_interval",
    },
    Wrong {
        what: "a wrong name of a resource",
        file: "modules/security/main.tf",
        from: "resource \"linode_firewall\" \"machines\"",
        to: "resource \"linode_fire_wall\" \"machines\"",
        says: "linode_fire_wall",
    },
    Wrong {
        what: "a missing attribute",
        file: "modules/database/main.tf",
        from: "    permissions = \"read_write\"\n",
        to: "",
        says: "permissions",
    },
];

/// That validation finds something is shown by what it finds.
fn broken(tool: &Tool, wrong: &Wrong) {
    let tree = Tree::copy();
    tree.replace(wrong.file, wrong.from, wrong.to);
    let begun = tool.init(&tree, "prod");
    // A provider without the resource stops even before.
    let ended = if begun.code == Some(0) {
        tool.run(&tree.environment("prod"), &["validate", "-no-color"])
    } else {
        begun
    };
    assert!(ended.code == Some(1) && ended.stderr.contains(wrong.says), "{ended}");
}

struct Refused {
    what: &'static str,
    variable: &'static str,
    says: &'static str,
}

const REFUSED: &[Refused] = &[
    Refused {
        what: "more machines than the limit",
        variable: "machine_limit=14",
        says: "limits.machines",
    },
    Refused {
        what: "SSH from everywhere",
        variable: "operator_ranges=[\"0.0.0.0/0\"]",
        says: "never the whole Internet",
    },
    Refused {
        what: "a machine without a key",
        variable: "authorized_keys=[]",
        says: "nobody gets in",
    },
];

fn refuses(tool: &Tool, refused: &Refused) {
    let tree = Tree::copy();
    drop(tool.init(&tree, "prod").expect(0));
    let failed = tool.try_plan(&tree, "prod", &[refused.variable]);
    // Terraform breaks lines where they are long.
    let said = failed.stderr.replace(['\n', '│'], " ");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(failed.code == Some(1) && said.contains(refused.says), "{failed}");
}

/// There is no bucket here: that it is asked for shows that the settings are understood.
fn backend(tool: &Tool) {
    let tree = Tree::copy();
    let port = tool::closed_port();
    tree.replace(
        "shared/backend.tf",
        "https://fr-par-1.linodeobjects.com",
        &format!("http://127.0.0.1:{port}"),
    );
    let arguments = [
        "init",
        "-no-color",
        "-input=false",
        "-backend-config=../../shared/backend.tf",
        "-backend-config=max_retries=1",
        // An address has no names of buckets before it.
        "-backend-config=use_path_style=true",
    ];
    let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let ended = tool.run_with(&tree.environment("dev"), &arguments, &keys);
    assert!(ended.code == Some(1) && ended.stderr.contains("connection refused"), "{ended}");
}
