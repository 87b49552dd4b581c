//! Rules of the source tree that the compiler does not enforce: which crate may import which, who may
//! read the terminal and the environment, and which libraries must not come in.

mod modules;

use andamio_testkit::{Abandoned, Need, Scenario, Steps, run};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

pub(crate) const SCENARIO: Scenario = Scenario { name: "rules", need: Need::Nothing, run: all };

/// Crates that are a program, or test one, and so speak with a terminal.
const OUTSIDE: &[&str] = &["cli", "testkit", "linode-emulator"];
const READS_OUTSIDE: &[&str] = &[
    "env::var",
    "env::args",
    "env::current_dir",
    "env::home_dir",
    "io::stdin",
    "io::stdout",
    "io::stderr",
    "println!",
    "eprintln!",
    "print!",
    "dbg!",
];
/// One TLS library with one cryptography: ring. The others need a C compiler, an assembler or the
/// host's own library, and would come in as somebody's default feature.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"];

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    steps.step("crates import what ARCHITECTURE.md says", one_way);
    steps.step("imports between the modules of operate have no circle", modules::no_circle);
    steps.step("what plans reaches no machine", modules::plans_are_pure);
    steps.step("only the command line reads the terminal, home and environment", nothing_outside);
    steps.step("one TLS library: none of the others is in Cargo.lock", one_tls);
    steps.step("every crate comes from the one registry", one_registry);
    steps.step("all builds have the same features of what they share", one_resolution);
    steps.step("every member takes version, licence and lints from the workspace", members);
    steps.step("every code of an error is explained in docs/errors.md", codes);
    Ok(())
}

/// What stands before the code of an error or a finding.
const BEFORE_CODE: &[&str] = &[
    "ErrorReport::new(",
    "ErrorReport::from_error(",
    "Failure::new(",
    "Failure::error(",
    "Stop::new(",
    "Stop::failed(",
    "Self::new(",
    "Self::error(",
    "reader.error(",
    "reader.report(",
    "reader.unknown(",
    "self.error(",
    "self.report(",
    "self.unknown(",
    "code: ",
    "each(reader, &field, ",
    "lacks(",
    "concern(",
];

fn codes() {
    let mut used = BTreeSet::new();
    for member in crates().into_keys().filter(|member| !OUTSIDE[1..].contains(&member.as_str())) {
        for file in sources(&run::checkout().join("crates").join(member).join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            used.extend(codes_of(text.split("#[cfg(test)]").next().unwrap_or_default()));
        }
    }
    assert!(used.len() > 50, "the search finds too little: {used:?}");
    let text = fs::read_to_string(run::checkout().join("docs/errors.md")).unwrap();
    let headings: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("### ")).collect();
    let explained: BTreeSet<String> = headings.iter().map(|&code| code.to_owned()).collect();
    assert_eq!(headings.len(), explained.len(), "a code has two entries");
    let missing: Vec<_> = used.difference(&explained).collect();
    assert!(missing.is_empty(), "codes without an entry: {missing:?}");
    let gone: Vec<_> = explained.difference(&used).collect();
    assert!(gone.is_empty(), "entries of codes that nothing gives: {gone:?}");
}

/// The codes in a source: the literal, or the constant of the same file, after each of [`BEFORE_CODE`],
/// behind at most one other argument; and what comes after a kind of failure or an exit status in a list.
fn codes_of(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let after = |before: &'static str| {
        text.match_indices(before).map(move |(at, _)| text.split_at(at + before.len()).1)
    };
    for rest in BEFORE_CODE.iter().flat_map(|before| after(before)) {
        let kinds = ["Kind::", "crate::Kind::", "Status::", "Exit::", "Severity::", "kind,"];
        let mut rest = rest.trim_start();
        if kinds.iter().any(|kind| rest.starts_with(kind)) {
            rest = rest.split_once(',').map_or("", |(_, rest)| rest.trim_start());
        }
        found.extend(code(text, rest));
    }
    for rest in ["Kind::", "Exit::"].into_iter().flat_map(after) {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        found.extend(rest.strip_prefix(',').and_then(|rest| code(text, rest.trim_start())));
    }
    // What a match decides.
    let decided = ["let code = match ", "fn code(&self) -> &'static str {"];
    for rest in decided.into_iter().flat_map(after) {
        let arms = rest.split("}\n    }").next().unwrap_or_default();
        let arms = arms.split("};").next().unwrap_or_default();
        let values = arms.split("=>").skip(1);
        found.extend(values.filter_map(|value| code(text, value.trim_start())));
    }
    found
}

/// A literal, or the constant that stands for one.
fn code(text: &str, rest: &str) -> Option<String> {
    let kebab = |c: char| c.is_ascii_lowercase() || c == '-';
    let literal = match rest.strip_prefix('"') {
        Some(rest) => rest.split('"').next(),
        None => {
            let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
            let name = rest.split(|c: char| !is_name(c)).next().filter(|name| name.len() > 1)?;
            let (_, value) = text.split_once(&format!("const {name}: &str = \""))?;
            value.split('"').next()
        }
    }?;
    (!literal.is_empty() && literal.chars().all(kebab)).then(|| literal.to_owned())
}

fn table(file: &Path) -> Table {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// Folder name → its Cargo.toml, of every crate.
fn crates() -> BTreeMap<String, Table> {
    let crates = run::checkout().join("crates");
    let folders = fs::read_dir(&crates).unwrap().flatten().map(|e| e.path());
    let crates: BTreeMap<_, _> = folders
        .filter(|f| f.join("Cargo.toml").exists())
        .map(|f| {
            (f.file_name().unwrap().to_string_lossy().into_owned(), table(&f.join("Cargo.toml")))
        })
        .collect();
    assert!(crates.len() >= 9, "only {} crates were found", crates.len());
    crates
}

/// Each crate imports what the table in ARCHITECTURE.md says, no more and no less: so that a new import is thought about,
/// and the table is true.
fn one_way() {
    let crates = crates();
    let package = |t: &Table| t["package"]["name"].as_str().unwrap().to_owned();
    let folder_of: BTreeMap<String, &str> =
        crates.iter().map(|(folder, t)| (package(t), folder.as_str())).collect();
    // Tests of a crate may use more; what ships may not.
    let imports = |manifest: &Table| -> BTreeSet<String> {
        let sections = ["dependencies", "build-dependencies"].into_iter();
        let tables = sections.filter_map(|name| manifest.get(name).and_then(Value::as_table));
        let siblings = tables.flat_map(Table::keys).filter_map(|name| folder_of.get(name));
        siblings.map(|&folder| folder.to_owned()).collect()
    };
    let is: BTreeMap<_, _> = crates.iter().map(|(name, t)| (name.clone(), imports(t))).collect();
    assert_eq!(is, documented(), "left: what crates import; right: the table in ARCHITECTURE.md");
}

/// Rows of the table of crates: name, and what it imports.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(run::checkout().join("ARCHITECTURE.md")).unwrap();
    let (_, table) = text.split_once("| crate | imports |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let name = cells.next().unwrap().trim_matches('`').to_owned();
        let imports = cells.next().unwrap().split(", ").filter(|name| *name != "–");
        (name, imports.map(str::to_owned).collect())
    };
    rows.map(row).collect()
}

fn nothing_outside() {
    let inside = crates().into_keys().filter(|r| !OUTSIDE.contains(&r.as_str()));
    let wrong: Vec<String> = inside.flat_map(|member| reads_outside(&member)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!reads_outside("cli").is_empty(), "the search finds nothing where there is something");
}

fn reads_outside(member: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources(&run::checkout().join("crates").join(member).join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        // Unit tests close a file; they may read the environment.
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in shipped.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in READS_OUTSIDE.iter().filter(|w| code.contains(**w)) {
                let file = file.strip_prefix(run::checkout()).unwrap().display();
                found.push(format!("{file}:{}: {word}", number + 1));
            }
        }
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

fn locked() -> Vec<Table> {
    let lock = table(&run::checkout().join("Cargo.lock"));
    let packages = lock["package"].as_array().unwrap();
    packages.iter().map(|p| p.as_table().unwrap().clone()).collect()
}

fn one_tls() {
    let names: BTreeSet<String> =
        locked().iter().map(|p| p["name"].as_str().unwrap().to_owned()).collect();
    let found: Vec<&&str> = BANNED.iter().filter(|b| names.contains(**b)).collect();
    assert!(found.is_empty(), "in Cargo.lock: {found:?}; `cargo tree -i NAME` shows who brings it");
    assert!(names.contains("rustls") && names.contains("ring"), "rustls with ring is gone");
}

fn one_registry() {
    let sources: BTreeSet<String> =
        locked().iter().filter_map(|p| p.get("source")?.as_str().map(str::to_owned)).collect();
    let other: Vec<&String> = sources.iter().filter(|s| !s.starts_with("registry+")).collect();
    assert!(other.is_empty() && sources.len() == 1, "sources: {sources:?}");
}

/// What `up` builds and what `./test` builds: features that differ would build a crate, and all above it, once more.
fn one_resolution() {
    let programs = features(&["--edges=normal,build"]);
    let all = features(&["--workspace", "--edges=normal,build,dev"]);
    assert!(programs.len() > 200 && all.len() > programs.len(), "{} {}", programs.len(), all.len());
    let other = programs.iter().filter(|(package, has)| all.get(*package) != Some(has));
    let other: Vec<String> =
        other.map(|(package, has)| format!("{package}: {has:?}, {:?}", all.get(package))).collect();
    let help = "ask for them at the end of crates/cli/Cargo.toml, or drop what asks for them";
    assert!(other.is_empty(), "other features with --workspace: {help}\n{}", other.join("\n"));
}

/// Package and version → its features; two sets where the build's own programs need others.
fn features(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["tree", "--locked", "--offline", "--prefix=none", "--format={p}|{f}"])
        .args(arguments);
    let output = cargo.current_dir(run::checkout()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        if let Some((package, features)) = line.trim_end_matches(" (*)").split_once('|') {
            found.entry(package.to_owned()).or_default().insert(features.to_owned());
        }
    }
    found
}

fn members() {
    let root = run::checkout();
    let folders = crates().into_keys().map(|r| root.join("crates").join(r));
    let folders = folders.chain([root.join("tests"), root.join("apps/ficharfirm")]);
    let mut wrong = Vec::new();
    for folder in folders {
        let manifest = table(&folder.join("Cargo.toml"));
        let inherits = |value: Option<&Value>| {
            value.and_then(|v| v.get("workspace")).and_then(Value::as_bool) == Some(true)
        };
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if !inherits(manifest["package"].get(key)) {
                wrong.push(format!("{}: {key}", folder.display()));
            }
        }
        if manifest.get("lints").and_then(|l| l.get("workspace")).is_none() {
            wrong.push(format!("{}: lints", folder.display()));
        }
    }
    assert!(wrong.is_empty(), "not from the workspace:\n{}", wrong.join("\n"));
}
