//! A project that is not the document's: other names, fewer services, one process without a port.

use crate::common::{Fixture, text};
use andamio_converge::{app_environment, manifests, secret_names};

const OTHER: &str = r#"
[project]
name = "fleet_board"

[app]
source = "."
domain = "fleet.example"
secrets = ["API_TOKEN"]

[app.processes]
agent = { command = ["sh", "-c", "exec agent --rate 5% $HOME"] }

[environments.test]
app = { machines = 1 }
mariadb = { machines = 1 }
"#;

#[test]
fn renders_its_own_names() {
    let mut fixture = Fixture::new(&OTHER.replace("fleet_board", "fleet-board"), "test");
    fixture.release.as_mut().unwrap().image = "localhost/fleet-board:1".to_owned();
    insta::assert_snapshot!("other-app", text(&fixture.manifest("app-1"), &["app"]));
    for manifest in manifests(&fixture.inputs()).unwrap() {
        let text = serde_json::to_string(&manifest).unwrap();
        assert!(!text.contains("ficharfirm"), "{}", manifest.machine);
    }
    let names: Vec<String> =
        secret_names(&fixture.spec, &fixture.topology).into_iter().map(|s| s.name).collect();
    assert_eq!(names, ["mariadb_app_password", "API_TOKEN", "tls-root", "tls-signer-mariadb-1"]);
    let variables: Vec<String> =
        app_environment(&fixture.inputs(), None).unwrap().into_keys().collect();
    assert_eq!(
        variables,
        [
            "ANDAMIO_ENV",
            "API_TOKEN",
            "DATABASE_CA",
            "DATABASE_URL",
            "DRAIN_SECONDS",
            "TRUSTED_PROXIES"
        ]
    );
}

#[test]
fn without_a_release_no_process_is_rendered() {
    let mut fixture = Fixture::new(&OTHER.replace("fleet_board", "fleet-board"), "test");
    fixture.release = None;
    let app = fixture.manifest("app-1");
    assert!(app.resources.iter().all(|r| !r.id().contains("-agent") && !r.id().contains("image")));
    assert!(app.resources.iter().any(|r| r.id() == "file:/etc/andamio/processes/agent.env"));
}
