//! Which modules of `operate` may import which: no two need each other, and what plans is given all it needs as values.

use super::sources;
use andamio_testkit::run;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// In `up/`, these decide and do nothing: files, or folders of that name.
const PURE: &[&str] = &["planner", "order", "groups", "checker"];
/// What they may import besides each other: in `up/`, in the crate, and of the crate that makes machines.
const VALUES_OF_UP: &[&str] = &["observed"];
const VALUES_OF_CRATE: &[&str] = &["accept", "plan"];
const VALUES_OF_PROVISION: &[&str] = &["Found", "Inventory", "MachineState", "SharedResources"];
/// Ways to a machine, a file or a clock.
const REACHES: &[&str] =
    &["andamio_remote", "tokio", "std::fs", "std::net", "std::process", "Instant::now"];

/// Module → what it imports → the files that do.
type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn source() -> PathBuf {
    run::checkout().join("crates/operate/src")
}

/// Without unit tests, which close a file, and without comments.
fn shipped(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Files that ship: (path below `src`, text).
fn files() -> Vec<(String, String)> {
    let root = source();
    let files = sources(&root).into_iter().map(|file| {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        (name, shipped(&file))
    });
    files.filter(|(name, _)| !name.ends_with("tests.rs")).collect()
}

/// The first words of paths after `prefix::`, also those in braces.
fn heads(text: &str, prefix: &str) -> BTreeSet<String> {
    let word = |path: &str| -> String {
        path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let prefix = format!("{prefix}::");
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices(&prefix) {
        let is_whole = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &text[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.extend(Some(word(rest)).filter(|_| is_whole));
            continue;
        };
        let mut depth = 0;
        let mut path = String::new();
        for c in group.chars() {
            match c {
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                '{' => depth += 1,
                ',' if depth == 0 => found.extend(Some(word(&std::mem::take(&mut path)))),
                c => path.push(c),
            }
        }
        found.insert(word(&path));
    }
    found.remove("");
    found
}

/// What `lib.rs` says: its modules, and of each name that it exports, which of them has it.
fn library() -> (BTreeSet<String>, BTreeMap<String, String>) {
    let text = shipped(&source().join("lib.rs"));
    let declared = |line: &str| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    let modules: BTreeSet<String> = text.lines().filter_map(declared).collect();
    let mut exported = BTreeMap::new();
    for line in text.split(';').filter_map(|line| line.trim().strip_prefix("pub use ")) {
        let (module, names) = line.split_once("::").unwrap();
        for name in names.trim_matches(['{', '}']).split(',') {
            let name = name.split(" as ").last().unwrap_or_default().trim();
            exported.insert(name.to_owned(), module.to_owned());
        }
    }
    (modules, exported)
}

fn imports() -> Imports {
    let (modules, exported) = library();
    let mut imports = Imports::new();
    for (file, text) in files().into_iter().filter(|(file, _)| file != "lib.rs") {
        let module = file.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        for head in heads(&text, "crate") {
            let to = modules.get(&head).or_else(|| exported.get(&head));
            let to = to.unwrap_or_else(|| panic!("{file}: `crate::{head}` is nothing in lib.rs"));
            if *to != module {
                let of = imports.entry(module.clone()).or_default();
                of.entry(to.clone()).or_default().insert(file.clone());
            }
        }
    }
    imports
}

/// What is left when modules that import nothing of the rest are taken away, again and again: circles, and what needs
/// them. Taken away from the other end too, only circles are left, and what lies between two.
fn circles(mut imports: Imports) -> Imports {
    loop {
        let before: usize = imports.values().map(BTreeMap::len).sum();
        let from: BTreeSet<String> = imports.keys().cloned().collect();
        let to: BTreeSet<String> = imports.values().flat_map(BTreeMap::keys).cloned().collect();
        for of in imports.values_mut() {
            of.retain(|module, _| from.contains(module));
        }
        imports.retain(|module, of| !of.is_empty() && to.contains(module));
        if imports.values().map(BTreeMap::len).sum::<usize>() == before {
            return imports;
        }
    }
}

pub(super) fn no_circle() {
    let imports = imports();
    assert!(imports.values().map(BTreeMap::len).sum::<usize>() > 50, "the search finds too little");
    let left = circles(imports.clone());
    assert!(left.is_empty(), "modules that need each other, and where: {left:#?}");
    // One more would be found.
    let mut circular = imports;
    let of = circular.entry("failure".to_owned()).or_default();
    of.insert("up".to_owned(), BTreeSet::new());
    assert!(circles(circular).contains_key("up"), "a circle is not found");
}

pub(super) fn plans_are_pure() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (file, text) in files() {
        let Some(below) = file.strip_prefix("up/") else { continue };
        let (module, is_top) = match below.split_once('/') {
            Some((folder, _)) => (folder, false),
            None => (below.trim_end_matches(".rs"), true),
        };
        if !PURE.contains(&module) {
            continue;
        }
        seen.insert(module.to_owned());
        let mut imports = |prefix: &str, may: &[&str]| {
            let others =
                heads(&text, prefix).into_iter().filter(|head| !may.contains(&head.as_str()));
            wrong.extend(others.map(|head| format!("{file}: {prefix}::{head}")));
        };
        imports("crate", VALUES_OF_CRATE);
        imports("andamio_provision", VALUES_OF_PROVISION);
        if is_top {
            imports("super", &[PURE, VALUES_OF_UP].concat());
        }
        wrong.extend(REACHES.iter().filter(|w| text.contains(**w)).map(|w| format!("{file}: {w}")));
        wrong.extend(text.contains("super::super").then(|| format!("{file}: super::super")));
    }
    assert!(
        wrong.is_empty(),
        "what plans is given values, and looks at nothing:\n{}",
        wrong.join("\n")
    );
    assert_eq!(seen.len(), PURE.len(), "found: {seen:?}");
}
