//! A corpus of files with something wrong in each (`tests/broken/*.toml`, found by itself), and what
//! people are told about it.

use crate::common::{FICHARFIRM, findings};
use andamio_spec::{Finding, Severity, parse};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

fn corpus() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_broken_file_is_explained() {
    let corpus = corpus();
    assert!(corpus.len() >= 60, "{} files", corpus.len());
    for (name, text) in corpus {
        let parsed = parse("andamio.toml", &text);
        assert!(!parsed.findings.is_empty(), "{name} has nothing wrong");
        assert_eq!(parsed.spec.is_some(), !parsed.findings.iter().any(Finding::is_error), "{name}");
        insta::assert_snapshot!(format!("broken_{name}"), findings(&parsed.findings));
    }
}

#[test]
fn every_finding_points_into_the_text_and_says_what_to_do() {
    for (name, text) in corpus() {
        for finding in parse("andamio.toml", &text).findings {
            let spanned = text.get(finding.offset..finding.offset + finding.length);
            assert!(spanned.is_some(), "{name}: {finding:?}");
            let before = text.get(..finding.offset).unwrap();
            assert_eq!(finding.line, before.matches('\n').count() + 1, "{name}: {finding:?}");
            let line = before.rsplit('\n').next().unwrap();
            assert_eq!(finding.column, line.chars().count() + 1, "{name}: {finding:?}");
            assert!(!finding.help.is_empty(), "{name}: {finding:?}");
            let kebab = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(finding.code.chars().all(kebab), "{name}: {finding:?}");
        }
    }
}

#[test]
fn ficharfirm_has_no_findings() {
    assert_eq!(parse("andamio.toml", FICHARFIRM).findings, []);
}

#[test]
fn a_finding_serializes_in_the_form_of_the_contract() {
    let parsed = parse("andamio.toml", "[project]\nname = \"shop\"\ncurency = \"EUR\"\n");
    let json = serde_json::to_value(&parsed.findings).unwrap();
    let unknown = json.as_array().unwrap().iter().find(|f| f["code"] == "unknown-key").unwrap();
    let keys: BTreeSet<&str> = unknown.as_object().unwrap().keys().map(String::as_str).collect();
    let contract = ["code", "column", "file", "help", "key", "line", "message", "severity"];
    assert_eq!(keys, BTreeSet::from(contract));
    assert_eq!(unknown["severity"], "error");
    assert_eq!((&unknown["line"], &unknown["column"]), (&3.into(), &1.into()));
    assert_eq!(unknown["help"], "did you mean `currency`?");
}

#[test]
fn several_mistakes_are_several_findings() {
    let text = FICHARFIRM
        .replacen("currency", "curency", 1)
        .replacen("\"2x4\"", "\"2x\"", 1)
        .replacen("window   = \"always\"", "window = \"sometimes\"", 1)
        .replacen("budget   = 300", "budget = -1", 1);
    let found = parse("andamio.toml", &text).findings;
    let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["unknown-key", "invalid-size", "invalid-window", "out-of-range"]);
}

#[test]
fn what_is_too_large_comes_back_at_once() {
    let parsed = parse("andamio.toml", &"a".repeat(10 << 20));
    assert_eq!(parsed.findings.len(), 1);
    assert_eq!(parsed.findings[0].code, "too-large");
}

#[test]
fn garbage_of_the_largest_size_is_told_in_a_hundred_findings() {
    let size = andamio_spec::MAX_BYTES - 64;
    let nested = |open: &str| format!("a = {}", open.repeat(size / open.len()));
    let many: String = (0..size / 10).map(|n| format!("k{n:06}=1\n")).collect();
    let tables: String = (0..size / 25).map(|n| format!("[environments.e{n:06}.x]\n")).collect();
    let dotted = format!("{}a = 1", "a.".repeat(size / 2));
    let list = |key: &str, item: &str| {
        let items: String =
            (0..size / (item.len() + 8)).map(|n| item.replace('N', &format!("{n:06}"))).collect();
        format!("[app]\nsource = \".\"\n{key} = [{items}]\n")
    };
    let secrets = list("secrets", "\"SN\",");
    let files = list("files", "\"/N\",");
    let hosts = list("[places.rack]\nkind = \"hosts\"\nmachines", "{address=\"10.0.N\"},");
    let places: String = (0..size / 20).map(|n| format!("[places.p{n:06}]\n")).collect();
    let places = format!("[environments.dev]\non = \"x\"\napp = {}\n{places}", "{}");
    let environments: String =
        (0..size / 40).map(|n| format!("[environments.e{n:06}]\nbranch = \"b{n:06}\"\n")).collect();
    let texts = [
        nested("["),
        nested("{a="),
        nested("\""),
        many,
        tables,
        dotted,
        secrets,
        files,
        hosts,
        places,
        environments,
    ];
    for text in texts {
        let parsed = parse("andamio.toml", &text);
        assert!(parsed.spec.is_none());
        assert!((1..=101).contains(&parsed.findings.len()), "{}", parsed.findings.len());
    }
}

#[test]
fn warnings_leave_a_spec() {
    let text = FICHARFIRM.replacen("\"staging\"", "\"main\"", 1);
    let parsed = parse("andamio.toml", &text);
    assert!(parsed.spec.is_some());
    let severities: Vec<Severity> = parsed.findings.iter().map(|f| f.severity).collect();
    assert_eq!(severities, [Severity::Warning]);
}
