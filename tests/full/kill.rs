//! `up` and `down` of dev killed at twenty moments each, from nothing every time: the same command
//! completes, the plan is empty, nothing is doubled and no lock needs a hand. Before that the same on the
//! machine's side (`moments`, `release`). Proves E1 (killed anywhere) and point 1 of what no comparable tool has.

use super::{moments, release};
use crate::dev::{down, healthy, unchanged};
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

pub(crate) const SCENARIO: Scenario = Scenario { name: "kill", need: Need::Machines, run: all };

/// Twenty moments: after k/21 of a fresh run's time, k from 1 to 20.
const PARTS: u32 = 21;

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    let (kills, cuts) = moments::all(steps)?;
    let releases = release::all(steps)?;
    for (name, rows) in [("node", kills), ("power", cuts), ("release", releases)] {
        let good = rows.iter().filter(|row| row["ok"] == true).count();
        steps.figure(&format!("{name}_hits"), rows.len());
        steps.figure(&format!("{name}_completed"), good);
        steps.figure(&format!("{name}_rows"), Value::Array(rows));
    }
    let sandbox = Sandbox::of_checkout();
    let s = &sandbox;
    image(steps, s)?;
    // Compiling is not of interest, and the second run knows the image's packages.
    steps.must("everything is built", || {
        drop(s.ok(&["up", "dev"]));
        down(s);
    })?;
    let whole = steps.must("a fresh run to the end", || s.ok(&["up", "dev"]).took)?;
    let whole_down = steps.must("and its removal", || s.ok(&["down", "dev", "-y"]).took)?;
    let mut table = Vec::new();
    for k in 1..PARTS {
        let after = whole * k / PARTS;
        let mut row = json!({ "verb": "up", "k": k, "after_ms": ms(after) });
        steps.step(&format!("up killed after {k}/{PARTS}, {} ms", ms(after)), || {
            row["ended_by_itself"] = interrupt(s, &["up", "dev", "--json"], after).into();
            let again = s.run(&["up", "dev", "--json"]);
            if again.code != Some(0) {
                panic!("{again}\n{}", s.run(&["plan", "dev"]));
            }
            row["again_ms"] = ms(again.took).into();
            row["took_over"] = again.stderr.contains("taking over").into();
            drop(s.run(&["plan", "dev", "--exit-code"]).expect(0));
            unchanged(s);
            drop(healthy(s));
            row["ok"] = true.into();
        });
        table.push(row);
        steps.must("down", || down(s))?;
    }
    for k in 1..PARTS {
        let after = whole_down * k / PARTS;
        let mut row = json!({ "verb": "down", "k": k, "after_ms": ms(after) });
        steps.must("up", || drop(s.ok(&["up", "dev"])))?;
        steps.step(&format!("down killed after {k}/{PARTS}, {} ms", ms(after)), || {
            row["ended_by_itself"] = interrupt(s, &["down", "dev", "-y", "--json"], after).into();
            let begun = std::time::Instant::now();
            down(s);
            row["again_ms"] = ms(begun.elapsed()).into();
            row["ok"] = true.into();
        });
        table.push(row);
    }
    let good = table.iter().filter(|row| row["ok"] == true).count();
    steps.figure("up_ms", ms(whole));
    steps.figure("down_ms", ms(whole_down));
    steps.figure("killed", table.len());
    steps.figure("completed", good);
    steps.figure("kills", Value::Array(table));
    Ok(())
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap()
}

/// Kills it at that moment. True when it was done before.
fn interrupt(s: &Sandbox, arguments: &[&str], after: Duration) -> bool {
    let mut run = s.start(arguments);
    let ended = run.ended_within(after);
    run.kill();
    ended
}

const IMAGES: &str = "/var/cache/andamio/images";

/// The image is shared: it is only put aside where nobody's machines stand on it.
fn image(steps: &mut Steps, s: &Sandbox) -> Result<(), Abandoned> {
    let title = "killed while the machine image is built, then completed";
    let others = fs::read_dir("/var/lib/andamio/instances").is_ok_and(|mut i| i.next().is_some());
    if others {
        steps.skip(title, "other environments on this host use the image");
        return Ok(());
    }
    let aside = Path::new(IMAGES).with_extension("aside");
    // A run of this that was killed has left them there.
    if aside.exists() && fs::rename(&aside, IMAGES).is_err() {
        let _ = fs::remove_dir_all(&aside);
    }
    let moved = fs::rename(IMAGES, &aside).is_ok();
    let result = steps.must(title, || {
        let mut up = s.start(&["up", "dev", "--json"]);
        let looks = |e: &Value| e["step"] == "image" && e["state"] == "waiting";
        let event = up.event("the image's build", Duration::from_secs(300), looks);
        assert!(event.is_some(), "up ended before it built the image");
        // Into the middle of the packages' installation.
        assert!(!up.ended_within(Duration::from_secs(20)), "it ended within 20 s");
        up.kill();
        drop(s.ok(&["up", "dev"]));
        drop(healthy(s));
        down(s);
    });
    if moved && result.is_ok() {
        let _ = fs::remove_dir_all(aside);
    } else if moved {
        let _ = fs::remove_dir_all(IMAGES);
        let _ = fs::rename(aside, IMAGES);
    }
    result
}
