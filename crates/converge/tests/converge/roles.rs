//! What the tables of roles say is what the roles render.

use crate::common::{FICHARFIRM, Fixture};
use andamio_converge::{RoleTable, health, manifests, table, tables, unit_fits};
use andamio_manifest::Kind;
use andamio_spec::Group;
use std::collections::BTreeSet;

const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

#[test]
fn every_role_has_its_own_table() {
    for role in tables().map(|table| table.role) {
        assert_eq!(table(role).role, role);
    }
    let fixture = Fixture::new(FICHARFIRM, "prod");
    for machine in &fixture.topology.machines {
        for role in &machine.roles {
            assert!(tables().any(|table| table.role == *role), "{role}");
        }
    }
}

/// A package that is not in its table is not in the machine image either: every new machine would load it.
#[test]
fn packages_are_those_of_the_tables() {
    let mut seen = BTreeSet::new();
    for env in ENVIRONMENTS {
        let fixture = Fixture::new(FICHARFIRM, env);
        for manifest in manifests(&fixture.inputs()).unwrap() {
            let machine = fixture.topology.machine(&manifest.machine).unwrap();
            let packages = |table: &'static RoleTable| table.packages.iter().copied().flatten();
            let known: Vec<&str> =
                machine.roles.iter().flat_map(|role| packages(table(*role))).copied().collect();
            for resource in &manifest.resources {
                let Kind::Package(package) = &resource.kind else { continue };
                for name in &package.names {
                    assert!(known.contains(&name.as_str()), "{name} on {}", machine.name);
                    seen.insert(name.clone());
                }
            }
        }
    }
    let all = tables().flat_map(|table| table.packages.iter().copied().flatten());
    assert_eq!(seen, all.map(|&name| name.to_owned()).collect(), "left: what is installed");
}

/// Whoever sees a service in `status` asks `logs` for it by that name.
#[test]
fn services_are_those_of_the_tables() {
    for env in ENVIRONMENTS {
        let fixture = Fixture::new(FICHARFIRM, env);
        for machine in &fixture.topology.machines {
            let known = machine.roles.iter().flat_map(|role| table(*role).services);
            let known: Vec<&str> = known.map(|(name, _)| *name).collect();
            for service in health(&fixture.inputs(), machine) {
                let is_process = fixture.spec.app.processes.contains_key(&service.name);
                assert!(is_process || known.contains(&service.name.as_str()), "{}", service.name);
            }
        }
    }
}

/// What a drill stops is what the plan calls the machine's service.
#[test]
fn drills_stop_what_machines_are_there_for() {
    let fixture = Fixture::new(FICHARFIRM, "prod");
    for group in Group::ALL {
        let table = table(group.role());
        let stopped = (table.drill.unit)(&fixture.spec);
        match (table.unit(), stopped) {
            (Some(pattern), Some(unit)) => assert!(unit_fits(pattern, &unit), "{unit}"),
            (None, Some(unit)) => assert_eq!(unit, "ficharfirm-web.service"),
            (None, None) => assert_eq!(group, Group::Ops),
            (Some(pattern), None) => panic!("{pattern} is never stopped"),
        }
    }
}
