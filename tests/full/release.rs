//! Power is cut while a release comes to a machine: its image built, copied, loaded, its containers started.

use super::strike::{Hit, Moment, SOON, TRIES, When, moment, ms, wait_for};
use crate::small;
use andamio_testkit::{Abandoned, Sandbox, Steps, sandbox::DEADLINE};
use serde_json::{Value, json};
use std::time::Instant;

/// Every trace of the release is gone from the machine.
const NO_IMAGE: &str = "systemctl stop small-web.service; podman rmi -af >/dev/null";
/// The first builds the image, the second gets it from there.
const BUILDER: &str = "app-1";
const OTHER: &str = "app-2";

const MOMENTS: &[(&str, Moment)] = &[
    (
        BUILDER,
        moment("its image is built", NO_IMAGE, When::Process(&["buildah", "build"]), Hit::Itself),
    ),
    (
        BUILDER,
        moment(
            "its image is saved for another",
            NO_IMAGE,
            When::Process(&["podman", "save"]),
            Hit::Itself,
        ),
    ),
    (
        OTHER,
        moment(
            "its image arrives",
            NO_IMAGE,
            When::Process(&["mktemp", "/var/lib/andamio/images"]),
            Hit::Itself,
        ),
    ),
    (
        OTHER,
        moment("its image is loaded", NO_IMAGE, When::Process(&["podman", "load"]), Hit::Itself),
    ),
    (
        OTHER,
        moment("its container starts", NO_IMAGE, When::Process(&["podman", "run"]), Hit::Itself),
    ),
];

/// A row for each moment.
pub(super) fn all(steps: &mut Steps) -> Result<Vec<Value>, Abandoned> {
    let sandbox = small::project(2);
    let s = &sandbox;
    steps.must("two machines with a release", || drop(s.ok(&["up", "one"])))?;
    let mut rows = Vec::new();
    for (machine, moment) in MOMENTS {
        let mut row = json!({ "moment": moment.what, "machine": machine });
        steps.step(&format!("power is cut as {}", moment.what), || {
            cut(s, machine, moment, &mut row)
        });
        rows.push(row);
    }
    steps.must("they go", || drop(s.ok(&["down", "one", "-y"])))?;
    Ok(rows)
}

fn cut(s: &Sandbox, machine: &str, moment: &Moment, row: &mut Value) {
    let begin = || {
        for each in [BUILDER, OTHER] {
            s.on("one", each, moment.damage);
        }
        let mut up = s.start(&["up", "one", "--json", "-y"]);
        if wait_for(s, machine, &mut up, moment, None).is_some() {
            return Some(up);
        }
        drop(up.end(DEADLINE));
        None
    };
    let up = (0..TRIES).find_map(|_| begin()).expect("the moment");
    s.cut_power("one", machine);
    let struck = Instant::now();
    let ended = up.end(DEADLINE).expect(1);
    row["ended_after_ms"] = ms(struck.elapsed());
    assert!(struck.elapsed() < SOON, "noticed after {:?}: {ended}", struck.elapsed());
    let error = ended.lines().pop().unwrap()["error"].clone();
    assert!(error["message"].as_str().unwrap().contains(machine), "{error}");
    let again = s.ok(&["up", "one", "--json", "-y"]);
    row["again_ms"] = ms(again.took);
    drop(s.run(&["plan", "one", "--exit-code"]).expect(0));
    drop(s.ok(&["status", "one"]));
    for each in [BUILDER, OTHER] {
        // One image, one container, nothing half in the store.
        let images = s.on("one", each, "podman images -aq | wc -l; podman ps -aq | wc -l");
        assert_eq!(images, "1\n1\n", "on {each}");
        let half = s.on(
            "one",
            each,
            "ls -d /var/tmp/andamio-* /var/lib/andamio/images/* 2>/dev/null || true",
        );
        assert_eq!(half, "", "on {each}");
    }
    row["ok"] = true.into();
}
