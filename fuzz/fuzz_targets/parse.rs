//! Any text is read as andamio.toml without a panic, twice with the same findings, each of which lies in
//! the text; and what is read can be explained and has a topology.
//!
//! `cargo +nightly fuzz run parse fuzz/corpus/parse crates/spec/tests/broken -- -max_total_time=60`
#![no_main]

use andamio_spec::{Finding, explain, parse, topology};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parsed = parse("andamio.toml", text);
    assert_eq!(parsed, parse("andamio.toml", text));
    assert_eq!(parsed.spec.is_some(), !parsed.findings.iter().any(Finding::is_error));
    for finding in &parsed.findings {
        assert!(text.get(finding.offset..finding.offset + finding.length).is_some(), "{finding:?}");
        assert!(!finding.help.is_empty() && !finding.message.contains('\n'), "{finding:?}");
    }
    if let Some(spec) = &parsed.spec {
        let network = "198.18.3.0/24".parse().expect("a network");
        for env in &spec.environments {
            topology::compute(spec, &env.name, "local", network).expect("a topology");
        }
        assert!(!explain(spec, text).is_empty());
    }
});
