//! The three environments of the document as Terraform sees them.

use super::*;
use andamio_spec::{Spec, parse, price};

const PROJECT: &str = include_str!("../../../../andamio.toml");

fn spec(text: &str) -> Spec {
    let parsed = parse("andamio.toml", text);
    parsed.spec.unwrap_or_else(|| panic!("{:#?}", parsed.findings))
}

fn tree(env: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(file(env))).unwrap()
}

#[test]
fn the_tree_is_what_andamio_toml_says() {
    for env in ["dev", "staging", "prod"] {
        let rendered = render(&spec(PROJECT), env, "linode").unwrap();
        let difference = diff(&tree(env), &rendered);
        assert!(difference.is_empty(), "`andamio plan {env} --on linode --render`:\n{difference}");
    }
}

#[test]
fn a_change_of_andamio_toml_is_a_difference_of_few_lines() {
    let grown = spec(
        &PROJECT
            .replace("app      = { machines = 3, max = 6", "app      = { machines = 4, max = 6"),
    );
    let difference = diff(&tree("prod"), &render(&grown, "prod", "linode").unwrap());
    let changed: Vec<&str> =
        difference.lines().filter(|line| line.starts_with(['+', '-'])).collect();
    assert_eq!(changed, ["-    machines   = 3", "+    machines   = 4"], "{difference}");
}

#[test]
fn what_was_written_by_hand_is_what_would_be_lost() {
    let rendered = render(&spec(PROJECT), "dev", "linode").unwrap();
    let by_hand = rendered.replace("backup_days    = 30", "backup_days    = 90");
    let difference = diff(&by_hand, &rendered);
    assert!(difference.contains("-backup_days    = 90"), "{difference}");
}

#[test]
fn a_file_costs_what_it_was_rendered_from() {
    let spec = spec(PROJECT);
    for env in ["dev", "staging", "prod"] {
        let (bought, region) = bought(&tree(env)).unwrap();
        let month =
            price::month_of(&bought, &price::Prices::recorded(&region), spec.project.currency);
        assert_eq!(month, price::cost_at(&spec, env, "linode").unwrap().total_month, "{env}");
    }
    assert!(bought("groups = 3").is_none());
    assert!(bought(&tree("dev").replace("g6-standard-2", "g9-unknown")).is_none());
}

#[test]
fn networks_are_private_apart_and_stay() {
    let of = |env| network("ficharfirm", env).base.octets();
    let all = [of("dev"), of("staging"), of("prod")];
    assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2], "{all:?}");
    for [a, b, _, d] in all {
        assert!(a == 10 && (128..192).contains(&b) && d == 0);
    }
    assert_eq!(of("dev"), of("dev"));
}

#[test]
fn names_that_no_volume_can_have_are_refused() {
    let long = spec(&PROJECT.replace("name = \"ficharfirm\"", "name = \"a-name-of-nineteen\""));
    let error = render(&long, "prod", "linode").unwrap_err();
    assert!(matches!(error, RenderError::Names { .. }), "{error}");
    assert!(matches!(render(&long, "prod", "local"), Err(RenderError::NotLinode(_))));
}
