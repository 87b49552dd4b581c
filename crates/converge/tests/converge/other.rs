//! A project that is not the document's: other names, fewer services, one process without a port.

use crate::common::{FICHARFIRM, Fixture, text};
use andamio_converge::{app_environment, manifests, secret_names};
use andamio_manifest::{Kind, Resource};

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

#[test]
fn who_knows_no_secret_asks_the_same() {
    for env in ["dev", "staging", "prod"] {
        let mut fixture = Fixture::new(FICHARFIRM, env);
        // A value that no line can carry is kept in another place than its stand-in would be.
        if let Some(value) = fixture.secrets.get_mut("SESSION_KEY") {
            *value = "several\nlines".to_owned();
        }
        let marks = fixture.secrets.keys().map(|name| (name.clone(), "1f".to_owned())).collect();
        let stand_ins = andamio_converge::stand_ins(&fixture.spec, &fixture.topology, &marks);
        let known = fixture.inputs();
        let inputs = andamio_converge::Inputs { secrets: &stand_ins, ..known };
        let mut manifests = andamio_converge::manifests(&known).unwrap();
        andamio_converge::keep(&known, &stand_ins, &mut manifests).unwrap();
        for (machine, manifest) in fixture.topology.machines.iter().zip(&manifests) {
            let mut asked = andamio_converge::asked(&inputs, machine).unwrap();
            let text = serde_json::to_string(&asked).unwrap();
            let secrets = fixture.secrets.values().filter(|value| value.len() > 12);
            assert!(
                secrets.clone().all(|secret| !text.contains(secret.as_str())),
                "{}",
                machine.name
            );
            let Kind::File(kept) = &manifest.resources.last().unwrap().kind else { panic!() };
            assert_eq!((kept.path.as_str(), kept.mode), (andamio_manifest::KEPT, 0o600));
            let kept: andamio_manifest::Kept =
                serde_json::from_str(&kept.content.as_ref().unwrap().text).unwrap();
            kept.fill(&mut asked.resources);
            let real = |r: &&Resource| !matches!(r.kind, Kind::Probe(_) | Kind::Agent(_));
            for resource in manifest
                .resources
                .iter()
                .filter(real)
                .filter(|r| r.id() != format!("file:{}", andamio_manifest::KEPT))
            {
                assert!(asked.resources.contains(resource), "{}: {}", machine.name, resource.id());
            }
            assert!(asked.resources.iter().all(|r| !r.has_stand_in()), "{}", machine.name);
        }
    }
}
