//! `check --explain`: every value, where it is from and why.

use crate::common::{FICHARFIRM, ficharfirm, spec};
use andamio_spec::{Explained, Origin, explain};
use std::fmt::Write;

const SMALL: &str = r#"
[project]
name = "shop"

[app]
source = "."
processes = { web = { command = ["web"], port = 3000 } }

[environments.dev]
app = { size = "4x8" }
mariadb = { machines = 2 }
balancer = { machines = 2 }
"#;

fn render(explained: &[Explained]) -> String {
    let mut out = String::new();
    for Explained { key, value, origin, reason } in explained {
        let why = if *origin == Origin::File { "(file)" } else { reason };
        writeln!(out, "{key} = {value}  {why}").unwrap();
    }
    out
}

#[test]
fn the_smallest_file_is_mostly_defaults() {
    insta::assert_snapshot!(render(&explain(&spec(SMALL), SMALL)));
}

#[test]
fn every_default_has_a_reason_and_what_is_written_needs_none() {
    for explained in explain(&ficharfirm(), FICHARFIRM) {
        assert_eq!(explained.reason.is_empty(), explained.origin == Origin::File, "{explained:?}");
    }
}

#[test]
fn all_that_the_file_says_is_known_as_said() {
    let explained = explain(&ficharfirm(), FICHARFIRM);
    let origin = |key: &str| explained.iter().find(|e| e.key == key).map(|e| e.origin);
    assert_eq!(origin("environments.dev.app.size"), Some(Origin::File));
    assert_eq!(origin("environments.dev.redis.size"), Some(Origin::Default));
    assert_eq!(origin("app.processes.worker.queue"), Some(Origin::File));
    assert_eq!(origin("environments.prod.limits.transfer"), Some(Origin::File));
}
