//! What the last run left here, for whoever asks and knows no secret.

use crate::disk;
use crate::failure::{Context, Failure, Result};
use crate::machine::Mode;
use andamio_manifest::{KEPT, Kept, Kind, Manifest, Outcome, Resource};
use std::path::Path;

/// Puts what this machine knows in the place of stand-ins.
///
/// # Errors
/// When something would be made of stand-ins.
pub(crate) fn fill(manifest: &mut Manifest, mode: Mode) -> Result<()> {
    if !manifest.stand_ins {
        return Ok(());
    }
    if mode == Mode::Apply {
        return Err(Failure::new("a manifest with stand-ins can only be checked"));
    }
    let Some(bytes) = disk::read(Path::new(KEPT))? else { return Ok(()) };
    let kept: Kept = serde_json::from_slice(&bytes).during(format!("reading {KEPT}"))?;
    kept.fill(&mut manifest.resources);
    Ok(())
}

/// How a resource comes out, and why, that has a stand-in for what nothing here says.
pub(crate) fn unknown(manifest: &Manifest, resource: &Resource) -> Option<(Outcome, &'static str)> {
    if !manifest.stand_ins || !resource.has_stand_in() {
        return None;
    }
    Some(match resource.kind {
        Kind::Probe(_) => {
            (Outcome::Skipped, "it was not asked: the last run has not told this machine how")
        }
        _ => (Outcome::Changed, "it is not what the last run has declared"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use andamio_manifest::{Check, Probe, STAND_IN, Text};

    #[test]
    fn nothing_is_made_or_asked_with_a_stand_in() {
        let text = r#"{"v":1,"machine":"a","instance":"dev@local","generation":1,"stand_ins":true,"resources":[]}"#;
        let mut manifest: Manifest = serde_json::from_str(text).unwrap();
        assert!(fill(&mut manifest, Mode::Apply).is_err());
        let probe = |password: &str| {
            let password = Text { text: password.to_owned(), sensitive: true };
            let check = Check::Redis { address: "127.0.0.1:1".to_owned(), password };
            let probe = Probe { name: "redis".to_owned(), check, deadline_s: 1, unit: None };
            Resource::new("status", Kind::Probe(probe))
        };
        let stand_in = probe(&format!("{STAND_IN}redis-1"));
        let outcome = |manifest: &Manifest, resource: &Resource| {
            unknown(manifest, resource).map(|(outcome, _)| outcome)
        };
        assert_eq!(outcome(&manifest, &stand_in), Some(Outcome::Skipped));
        assert_eq!(outcome(&manifest, &probe("hunter22")), None);
        manifest.stand_ins = false;
        assert_eq!(outcome(&manifest, &stand_in), None);
    }
}
