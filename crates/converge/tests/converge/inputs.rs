//! What callers rely on.

use crate::common::{FICHARFIRM, Fixture};
use andamio_converge::{
    Error, Inputs, Phase, app_environment, health, manifests, manifests_of, one_off, redis_nodes,
};
use andamio_manifest::{Kind, Manifest};
use std::collections::BTreeSet;

#[test]
fn equal_inputs_give_equal_manifests() {
    for env in ["dev", "staging", "prod"] {
        let (one, other) = (Fixture::new(FICHARFIRM, env), Fixture::new(FICHARFIRM, env));
        assert_eq!(manifests(&one.inputs()).unwrap(), manifests(&other.inputs()).unwrap());
    }
}

#[test]
fn ids_are_unique_and_restarts_name_what_comes_before() {
    for env in ["dev", "staging", "prod"] {
        let fixture = Fixture::new(FICHARFIRM, env);
        for manifest in manifests(&fixture.inputs()).unwrap() {
            let mut seen = BTreeSet::new();
            for resource in &manifest.resources {
                if let andamio_manifest::Kind::Unit(unit) = &resource.kind {
                    for id in unit.restart_on.iter().chain(&unit.reload_on) {
                        assert!(seen.contains(id), "{}: {id}", manifest.machine);
                    }
                }
                assert!(seen.insert(resource.id()), "{}: {}", manifest.machine, resource.id());
            }
        }
    }
}

/// A secret stands only where it is marked as one.
#[test]
fn secrets_are_marked() {
    let fixture = Fixture::new(FICHARFIRM, "prod");
    for manifest in manifests(&fixture.inputs()).unwrap() {
        let mut json = serde_json::to_value(&manifest).unwrap();
        mask(&mut json);
        let text = json.to_string();
        for (name, value) in &fixture.secrets {
            assert!(!text.contains(value.as_str()), "{name} in {}", manifest.machine);
        }
    }
}

fn mask(value: &mut serde_json::Value) {
    if let Some(object) = value.as_object_mut() {
        if object.get("sensitive") == Some(&serde_json::Value::Bool(true)) {
            object.remove("text");
        }
        object.values_mut().for_each(mask);
    }
    if let Some(list) = value.as_array_mut() {
        list.iter_mut().for_each(mask);
    }
}

#[test]
fn a_missing_secret_renders_nothing() {
    let mut fixture = Fixture::new(FICHARFIRM, "dev");
    fixture.secrets.insert("redis_password".to_owned(), String::new());
    fixture.secrets.remove("SESSION_KEY");
    let error = manifests(&fixture.inputs()).unwrap_err();
    assert_eq!(error.to_string(), "no value for the secrets redis_password, SESSION_KEY");
    fixture.secrets.insert("SESSION_KEY".to_owned(), "x".to_owned());
    fixture.secrets.insert("redis_password".to_owned(), "two words and \"quotes\"".to_owned());
    assert!(
        matches!(manifests(&fixture.inputs()), Err(Error::SecretForm(name)) if name == "redis_password")
    );
    fixture.secrets.insert("redis_password".to_owned(), "abcdefghijklmnop".to_owned());
    manifests(&fixture.inputs()).unwrap();
    fixture.secrets.insert("SESSION_KEY".to_owned(), "a\0b".to_owned());
    assert!(matches!(manifests(&fixture.inputs()), Err(Error::SecretValue(..))));
    fixture.secrets.insert("SESSION_KEY".to_owned(), "a".repeat(102_401));
    assert!(matches!(manifests(&fixture.inputs()), Err(Error::SecretValue(..))));
}

/// A value that is no line of the file of variables, which has no way to write one, takes another way; it may
/// not become a second variable there.
#[test]
fn values_of_several_lines_go_to_podmans_store() {
    let mut fixture = Fixture::new(FICHARFIRM, "dev");
    for value in ["a\nDATABASE_URL=b", "\n", "a\r", &"a".repeat(70_000)] {
        fixture.secrets.insert("SESSION_KEY".to_owned(), value.to_owned());
        let text = serde_json::to_string(&fixture.manifest("app-1")).unwrap();
        let quoted = serde_json::to_string(value).unwrap();
        for process in ["web", "worker"] {
            let stored = format!(r#""{process}.SESSION_KEY":{{"text":{quoted},"sensitive":true}}"#);
            assert!(text.contains(&stored), "{value:?}");
            let take = format!("andamio-{process}.SESSION_KEY,type=env,target=SESSION_KEY");
            assert_eq!(text.matches(&format!("Secret={take}\\n")).count(), 1, "{value:?}");
            let command = one_off(&fixture.inputs(), Some(process), &["x".to_owned()]).unwrap();
            assert!(command.contains(&format!("--secret={take}")));
        }
        assert!(!text.contains("SESSION_KEY="), "{value:?}");
    }
    fixture.secrets.insert("SESSION_KEY".to_owned(), String::new());
    let text = serde_json::to_string(&fixture.manifest("app-1")).unwrap();
    assert!(text.contains("SESSION_KEY=\\n") && text.contains(r#""values":{}"#));
}

/// Names of an application's secrets cannot be those of Andamio's own, which lie beside them in the state.
#[test]
fn own_secrets_have_names_that_no_application_can_take() {
    for env in ["dev", "staging", "prod"] {
        let fixture = Fixture::new(FICHARFIRM, env);
        let given = |name: &&String| fixture.spec.app.secrets.iter().any(|s| s.name == **name);
        for name in fixture.secrets.keys().filter(|name| !given(name)) {
            assert!(andamio_spec::reserved::is_own_secret(name), "{name}");
        }
        let variables = app_environment(&fixture.inputs(), Some("web")).unwrap();
        for name in variables.keys().filter(|name| !given(name)) {
            assert!(andamio_spec::reserved::is_own_variable(name), "{name}");
        }
    }
    let authority = andamio_spec::reserved::kept_path_problem(andamio_manifest::AUTHORITY);
    assert!(authority.is_some());
}

/// What listens on the machine of a process, by the files that say so, is in the one table that keeps
/// processes off.
#[test]
fn ports_beside_processes_are_reserved() {
    let mut seen = 0;
    for env in ["dev", "staging", "prod"] {
        let fixture = Fixture::new(FICHARFIRM, env);
        for manifest in manifests(&fixture.inputs()).unwrap() {
            if !manifest.machine.starts_with("app-") {
                continue;
            }
            for resource in &manifest.resources {
                let andamio_manifest::Kind::File(file) = &resource.kind else { continue };
                let text = file.content.as_ref().map_or("", |content| content.text.as_str());
                for line in text.lines().map(str::trim) {
                    let Some(rest) = line.strip_prefix("bind ") else { continue };
                    let address = rest.split(' ').next().unwrap();
                    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
                    assert!(
                        andamio_spec::topology::ports::beside_processes(port).is_some(),
                        "{}: {line}",
                        file.path
                    );
                    seen += 1;
                }
            }
        }
        for flow in &fixture.topology.flows {
            let to = fixture.topology.machine(&flow.to).unwrap();
            if to.roles.contains(&andamio_spec::topology::Role::App) && flow.port != 8080 {
                assert!(
                    andamio_spec::topology::ports::beside_processes(flow.port).is_some(),
                    "{flow:?}"
                );
            }
        }
    }
    assert!(seen >= 4, "{seen}");
}

/// Ports below 1024 belong to root, which no process is.
#[test]
fn a_low_port_is_opened_to_processes() {
    let start = |toml: &str| {
        let fixture = Fixture::new(toml, "dev");
        let kinds = fixture.manifest("app-1").resources.into_iter().map(|resource| resource.kind);
        kinds
            .filter_map(|kind| match kind {
                andamio_manifest::Kind::Sysctl(s) if s.key.ends_with("unprivileged_port_start") => {
                    Some(s.value)
                }
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(start(FICHARFIRM), ["1024"]);
    assert_eq!(start(&FICHARFIRM.replace("port = 8080", "port = 80")), ["80"]);
}

#[test]
fn nobody_is_locked_out() {
    let mut fixture = Fixture::new(FICHARFIRM, "dev");
    fixture.keys.clear();
    assert!(matches!(manifests(&fixture.inputs()), Err(Error::NoOperatorKeys)));
}

#[test]
fn phases_differ_only_on_app_machines() {
    let fixture = Fixture::new(FICHARFIRM, "staging");
    let base = manifests_of(&fixture.inputs(), Phase::Base).unwrap();
    for (base, app) in base.iter().zip(manifests(&fixture.inputs()).unwrap()) {
        let is_app = app.machine.starts_with("app-");
        assert_eq!(base.digest() != app.digest(), is_app, "{}", app.machine);
        // What a migration needs comes first, and stays as it is.
        assert_eq!(base.resources, app.resources[..base.resources.len()]);
    }
}

#[test]
fn name_servers_are_the_places_and_processes_follow() {
    let fixture = Fixture::new(FICHARFIRM, "dev");
    let with = |resolver| manifests(&Inputs { resolver, ..fixture.inputs() }).unwrap();
    let file = "file:/etc/resolv.conf";
    let has = |m: &Manifest| m.resources.iter().any(|r| r.id() == file);
    assert!(!with(None).iter().any(has));
    let given = with(Some("nameserver 192.0.2.1\n"));
    assert!(given.iter().all(has));
    let restarts = given.iter().flat_map(|m| &m.resources).filter_map(|r| match &r.kind {
        Kind::Unit(unit) if unit.restart_on.iter().any(|on| on == file) => Some(&*unit.name),
        _ => None,
    });
    // A container has a copy; everything else reads the file.
    assert_eq!(
        restarts.collect::<Vec<_>>(),
        ["ficharfirm-web.service", "ficharfirm-worker.service"]
    );
}

#[test]
fn the_application_is_told_where_everything_is() {
    let fixture = Fixture::new(FICHARFIRM, "prod");
    let text: Vec<String> = app_environment(&fixture.inputs(), Some("web"))
        .unwrap()
        .into_iter()
        .map(|(name, value)| format!("{name}={}", value.replace(',', ",\n  ")))
        .collect();
    insta::assert_snapshot!("prod-environment", text.join("\n"));
}

#[test]
fn a_one_off_shows_no_secret() {
    let fixture = Fixture::new(FICHARFIRM, "dev");
    let command = ["ficharfirm", "migrate", "up"].map(str::to_owned);
    let command = one_off(&fixture.inputs(), None, &command).unwrap();
    insta::assert_snapshot!("one-off", command.join("\n"));
}

#[test]
fn every_machine_with_a_service_has_health() {
    let fixture = Fixture::new(FICHARFIRM, "staging");
    let inputs = fixture.inputs();
    let names: Vec<String> = fixture
        .topology
        .machines
        .iter()
        .map(|machine| {
            let services = health(&inputs, machine);
            let names: Vec<String> = services
                .iter()
                .map(|service| format!("{}({})", service.name, service.probes.len()))
                .collect();
            format!("{}: {}", machine.name, names.join(" "))
        })
        .collect();
    insta::assert_snapshot!("staging-health", names.join("\n"));
}

#[test]
fn redis_covers_all_slots_and_no_copy_is_beside_its_master() {
    for env in ["dev", "staging", "prod"] {
        let fixture = Fixture::new(FICHARFIRM, env);
        let nodes = redis_nodes(&fixture.topology);
        let slots: u32 = nodes
            .iter()
            .filter_map(|node| node.slots)
            .map(|(first, last)| u32::from(last - first) + 1)
            .sum();
        assert_eq!(slots, 16_384, "{env}");
        let places: BTreeSet<_> = nodes.iter().map(|node| (node.address, node.port)).collect();
        assert_eq!(places.len(), nodes.len());
        for copy in &nodes {
            if let Some((address, port)) = copy.replica_of {
                assert_ne!(address, copy.address, "{env}");
                let master = nodes.iter().find(|n| n.address == address && n.port == port);
                assert!(master.unwrap().slots.is_some());
            }
        }
    }
}
