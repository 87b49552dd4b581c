//! Waiting for a moment of a run on a machine, to hit something just then.

use andamio_testkit::inside::Process;
use andamio_testkit::{Running, Sandbox, sandbox::DEADLINE};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

/// A machine that lost its power is noticed by then, and so is a node that was killed.
pub(super) const SOON: Duration = Duration::from_secs(30);

pub(super) struct Moment {
    pub(super) what: &'static str,
    /// Gives `up` something to do.
    pub(super) damage: &'static str,
    pub(super) when: When,
    pub(super) hit: Hit,
}

pub(super) enum When {
    /// A process of the machine has all of these words.
    Process(&'static [&'static str]),
    /// A file with such a beginning is in that folder of the machine.
    File(&'static str, &'static str),
    /// The run says that of a resource.
    Says(&'static str, &'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hit {
    /// `andamio node apply`.
    Node,
    /// The node, and the one that the run starts in its place.
    Twice,
    /// The process that the moment was told by.
    Itself,
}

/// How often a moment that lasts milliseconds is waited for again.
pub(super) const TRIES: usize = 10;

pub(super) const fn moment(
    what: &'static str,
    damage: &'static str,
    when: When,
    hit: Hit,
) -> Moment {
    Moment { what, damage, when, hit }
}

pub(super) fn ms(duration: Duration) -> Value {
    u64::try_from(duration.as_millis()).unwrap().into()
}

/// The node, and the process that told the moment, which may be over before anybody saw it: then `None`; `but` is a node that was hit before.
pub(super) fn wait_for(
    s: &Sandbox,
    machine: &str,
    up: &mut Running,
    moment: &Moment,
    but: Option<i32>,
) -> Option<(Process, Process)> {
    if let When::Says(resource, words) = moment.when {
        let says = |e: &Value| {
            e["resource"] == resource && e["message"].as_str().is_some_and(|m| m.contains(words))
        };
        let event = up.event(moment.what, DEADLINE, says);
        event.as_ref()?;
    }
    let deadline = Instant::now() + Duration::from_secs(120);
    while Instant::now() < deadline {
        if up.ended_within(Duration::ZERO) {
            return None;
        }
        let processes = s.processes("one", machine);
        let find = |words: &[&str]| {
            let is_it = |p: &&Process| words.iter().all(|word| p.command.contains(word));
            processes.iter().find(is_it).cloned()
        };
        let is_node = |p: &&Process| {
            p.command.starts_with("/var/lib/andamio/agent/")
                && p.command.trim_end().ends_with("node apply")
                && Some(p.pid) != but
        };
        let node = processes.iter().find(is_node).cloned();
        if moment.hit == Hit::Itself {
            if let When::Process(words) = moment.when
                && let Some(matched) = find(words)
            {
                return Some((matched.clone(), matched));
            }
            continue;
        }
        let Some(node) = node else { continue };
        let matched = match &moment.when {
            When::Process(words) => find(words),
            When::Says(..) => Some(node.clone()),
            // Such a file is there for a millisecond: nothing else is looked at while the node lives.
            When::File(folder, beginning) => loop {
                let names = fs::read_dir(node.path(folder)).into_iter().flatten().flatten();
                let mut names = names.filter_map(|entry| entry.file_name().into_string().ok());
                if names.any(|name| name.starts_with(beginning)) {
                    break Some(node.clone());
                }
                if !node.path("").exists() {
                    break None;
                }
            },
        };
        if let Some(matched) = matched {
            return Some((node, matched));
        }
    }
    panic!("the moment did not come: {}", moment.what);
}
