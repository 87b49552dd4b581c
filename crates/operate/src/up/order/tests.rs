//! Plans as text. Each file `plans/NAME.txt` is a scenario, a line for each thing that is not as declared; the snapshot of
//! that name shows in which order it is put right. A new file is a new test.
//!
//! - `env NAME`: all machines run and have nothing to do; first line
//! - `count GROUP N`: so many machines are declared
//! - `missing MACHINE…`, `stopped MACHINE…`: `all` is every machine
//! - `restarts MACHINE…`: its service is to be restarted, while it serves
//! - `differs MACHINE…`: a file is to be written
//! - `emptied MACHINE…`: its data is gone
//! - `surplus MACHINE…`: it is there and not declared any more
//! - `release`: another one than the live one
//! - `runs-another MACHINE…`: than the wanted one, whose image it lacks
//! - `image`, `network`: they have to be made

use super::{Input, Operation, operations};
use crate::up::checker;
use crate::up::world::{PROJECT, World, event, restart};
use andamio_manifest::Outcome;
use andamio_provision::MachineState;
use andamio_spec::{Group, Topology};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

#[test]
fn plans_are_ordered_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/up/order/plans");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 9, "only {} scenarios", files.len());
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let scenario = fs::read_to_string(&file).unwrap();
        insta::assert_snapshot!(name, format!("{scenario}\n{}", told(&scenario)));
    }
}

fn told(scenario: &str) -> String {
    let lines = || scenario.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut spec = andamio_spec::parse("andamio.toml", PROJECT).spec.unwrap();
    let env = lines().next().unwrap()[1].to_owned();
    for words in lines().filter(|words| words[0] == "count") {
        let environment = spec.environments.iter_mut().find(|e| e.name == env).unwrap();
        let group = environment.groups.get_mut(&Group::from_name(words[1]).unwrap()).unwrap();
        group.machines = words[2].parse().unwrap();
    }
    let mut world = World::of(spec, &env);
    let mut release = false;
    for words in lines().skip(1) {
        let names = || machines(&world.topology, &words[1..]);
        match words[0] {
            "count" => {}
            "missing" => names().iter().for_each(|name| world.is_gone(name, MachineState::Missing)),
            "stopped" => names().iter().for_each(|name| world.is_gone(name, MachineState::Stopped)),
            "restarts" => names().iter().for_each(|name| world.says(name, restart())),
            "differs" => names().iter().for_each(|name| {
                world.says(name, vec![event("file:/etc/x", Outcome::Changed, "+ y")]);
            }),
            "emptied" => names().iter().for_each(|name| {
                let mut lost = event("store:/var/lib/x", Outcome::Changed, "- data");
                if let andamio_manifest::Event::Resource { disrupts, .. } = &mut lost {
                    *disrupts = true;
                }
                world.says(name, vec![lost, event("probe:x", Outcome::Failed, "")]);
            }),
            "runs-another" => names().iter().for_each(|name| {
                let quadlet = "file:/etc/containers/systemd/ficharfirm-web.container";
                let resources = ["image:ficharfirm", quadlet, "unit:ficharfirm-web.service"];
                let differs = |resource| event(resource, Outcome::Changed, "+ y");
                let serves = event("probe:ficharfirm-web", Outcome::Ok, "");
                let events = resources.map(differs).into_iter().chain([serves]);
                world.says(name, events.collect());
            }),
            "surplus" => {
                world.observed.inventory.surplus =
                    words[1..].iter().map(|&w| w.to_owned()).collect();
            }
            "release" => release = true,
            "image" => world.observed.shared.image = false,
            "network" => world.observed.shared.network = vec!["it is gone".to_owned()],
            other => panic!("no scenario says `{other}`"),
        }
    }
    let planned = world.plan_release(&[], &BTreeMap::new(), release);
    let mut text = String::new();
    for refused in &planned.report.refusals {
        writeln!(text, "refused: {}", refused.message).unwrap();
    }
    let clusters = world.clusters();
    let ordered = operations(&Input {
        topology: &world.topology,
        changes: &planned.changes,
        clusters: &clusters,
        image: Some("shop:1"),
        migrates: true,
    });
    let asked = planned.report.question().is_some();
    checker::check(&ordered, &planned.changes, &world.topology, asked).unwrap();
    text + &waves(&ordered)
}

fn machines(topology: &Topology, words: &[&str]) -> Vec<String> {
    if words == ["all"] {
        return topology.machines.iter().map(|machine| machine.name.clone()).collect();
    }
    words.iter().map(|&word| word.to_owned()).collect()
}

/// A line for each operation, by when it may begin at the earliest, with what it waits for.
fn waves(ordered: &[Operation]) -> String {
    let mut wave: BTreeMap<&str, usize> = BTreeMap::new();
    while wave.len() < ordered.len() {
        let before = wave.len();
        for operation in ordered {
            let needs = operation.needs.iter().map(|id| {
                assert!(ordered.iter().any(|o| o.id == *id), "{} needs {id}", operation.id);
                wave.get(id.as_str()).copied()
            });
            if let Some(needs) = needs.collect::<Option<Vec<usize>>>() {
                wave.entry(&operation.id).or_insert(needs.into_iter().max().map_or(1, |n| n + 1));
            }
        }
        assert!(wave.len() > before, "a circle, or an id twice");
    }
    let mut sorted: Vec<&Operation> = ordered.iter().collect();
    sorted.sort_by_key(|operation| wave[operation.id.as_str()]);
    let mut text = String::new();
    for operation in sorted {
        let mut needs = operation.needs.clone();
        needs.sort();
        needs.dedup();
        let after =
            if needs.is_empty() { String::new() } else { format!("  after {}", needs.join(", ")) };
        writeln!(text, "{} {}{after}", wave[operation.id.as_str()], operation.id).unwrap();
    }
    text
}
