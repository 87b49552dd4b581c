//! The corpus of broken files, damaged further: pieces moved, lost, doubled and mixed with others'. The
//! seed is fixed, so that a failure is the same for everybody. A fuzzer looks further (`fuzz/`).

use crate::common::FICHARFIRM;
use andamio_spec::{Finding, explain, parse, topology};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Enough that each file of the corpus is damaged more than a hundred times.
const ROUNDS: usize = 20_000;
/// Of the whole test; on a busy machine it then ends with fewer rounds.
const LONGEST: Duration = Duration::from_secs(15);

/// `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut texts: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    texts.push(FICHARFIRM.as_bytes().to_vec());
    texts
}

/// One to four blows; what is no text any more is patched, as the command line refuses it.
fn damage(random: &mut Random, texts: &[Vec<u8>]) -> String {
    let mut bytes = texts[random.below(texts.len())].clone();
    for _ in 0..=random.below(3) {
        let from = random.below(bytes.len() + 1);
        let to = (from + random.below(40)).min(bytes.len());
        let piece = match random.below(6) {
            0 => Vec::new(),
            1 => bytes[from..to].repeat(1 + random.below(50)),
            2 => vec![u8::try_from(random.below(256)).unwrap(); 1 + random.below(3)],
            3 => "\u{202e}\u{200b}\u{feff}é\0\r".as_bytes()[..random.below(14)].to_vec(),
            _ => {
                let other = &texts[random.below(texts.len())];
                let at = random.below(other.len() + 1);
                other[at..(at + random.below(60)).min(other.len())].to_vec()
            }
        };
        bytes.splice(from..to, piece);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn any_damage_is_told_in_findings() {
    let (texts, begun) = (corpus(), Instant::now());
    let mut random = Random(1);
    let (mut rounds, mut valid) = (0, 0);
    while rounds < ROUNDS && begun.elapsed() < LONGEST {
        let text = damage(&mut random, &texts);
        let parsed = parse("andamio.toml", &text);
        assert_eq!(parsed, parse("andamio.toml", &text), "{text:?}");
        let broken = parsed.findings.iter().any(Finding::is_error);
        assert_eq!(parsed.spec.is_none(), broken, "{text:?}");
        for finding in &parsed.findings {
            let span = text.get(finding.offset..finding.offset + finding.length);
            assert!(span.is_some() && finding.line >= 1 && finding.column >= 1, "{text:?}");
            let told = !finding.help.is_empty() && finding.message.chars().count() <= 300;
            assert!(told && !finding.message.contains(char::is_control), "{finding:?}");
        }
        if let Some(spec) = &parsed.spec {
            valid += 1;
            let network = "198.18.3.0/24".parse().unwrap();
            for env in &spec.environments {
                let computed = topology::compute(spec, &env.name, "local", network);
                assert!(computed.is_ok(), "{computed:?}: {text:?}");
            }
            assert!(!explain(spec, &text).is_empty());
        }
        rounds += 1;
    }
    // Both kinds of text were judged, else this tests nothing.
    assert!(rounds > 100 && valid > 0 && valid < rounds, "{valid} of {rounds} are valid");
}
