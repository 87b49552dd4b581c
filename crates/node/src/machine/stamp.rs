//! What a unit was running with when it was last started, restarted or reloaded.
//!
//! A stamp maps the ids of the resources a unit watches to the digests of their declared content.
//! It is written after the unit was restarted, and loses an entry before the resource of that id
//! is changed: whatever is killed in between, the next run sees that a restart is due.

use crate::failure::{Context, Result};
use crate::{STATE, disk};
use andamio_manifest::{Manifest, Unit};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Id of a resource → SHA-256 of its declared content, in hex.
    pub(crate) triggers: BTreeMap<String, String>,
}

impl Stamp {
    /// The stamp that the manifest asks for.
    pub(crate) fn declared(unit: &Unit, manifest: &Manifest) -> Self {
        let mut triggers = BTreeMap::new();
        for id in unit.restart_on.iter().chain(&unit.reload_on) {
            let resource = manifest.resources.iter().find(|resource| resource.id() == *id);
            // A trigger that nothing declares has one content for ever.
            let content = resource.map(|r| serde_json::to_vec(&r.kind).unwrap_or_default());
            let digest = hex::encode(Sha256::digest(content.unwrap_or_default()));
            triggers.insert(id.clone(), digest);
        }
        Self { triggers }
    }

    /// The stamp on disk; `None` when the node never started the unit.
    pub(crate) fn read(unit: &str) -> Result<Option<Self>> {
        let path = path(unit);
        let Some(bytes) = disk::read(&path)? else { return Ok(None) };
        // A stamp that cannot be read says nothing: the unit is restarted once.
        Ok(serde_json::from_slice(&bytes).ok())
    }

    pub(crate) fn write(&self, unit: &str) -> Result<()> {
        let bytes = serde_json::to_vec(self).during("writing a stamp")?;
        disk::write_state(&path(unit), &bytes)
    }

    /// The ids among `watched` whose content differs between this stamp and another.
    pub(crate) fn differing<'a>(&self, other: &Self, watched: &'a [String]) -> Vec<&'a str> {
        let differs = |id: &&String| self.triggers.get(*id) != other.triggers.get(*id);
        watched.iter().filter(differs).map(String::as_str).collect()
    }
}

/// Makes a unit's stamp forget a resource that is about to be changed.
pub(crate) fn forget(unit: &str, id: &str) -> Result<()> {
    let Some(mut stamp) = Stamp::read(unit)? else { return Ok(()) };
    if stamp.triggers.remove(id).is_none() {
        return Ok(());
    }
    stamp.write(unit)
}

fn path(unit: &str) -> PathBuf {
    // A unit's name has no slash; one that has must not lead elsewhere.
    Path::new(STATE).join("units").join(format!("{}.json", unit.replace('/', "_")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use andamio_manifest::{File, Kind, Resource, Text};

    fn manifest(text: &str) -> Manifest {
        let file = File {
            path: "/etc/a".into(),
            content: Some(Text { text: text.into(), sensitive: false }),
            mode: 0o644,
            owner: "root".into(),
            group: "root".into(),
            validate: Vec::new(),
        };
        Manifest {
            v: 1,
            keeps_hostname: false,
            part: false,
            stand_ins: false,
            machine: "app-1".into(),
            instance: "dev@local".into(),
            generation: 1,
            resources: vec![Resource::new("web", Kind::File(file))],
        }
    }

    #[test]
    fn changed_and_forgotten_triggers_differ() {
        let restart_on = vec!["file:/etc/a".to_owned(), "file:/etc/b".to_owned()];
        let unit = Unit {
            name: "a.service".into(),
            enabled: None,
            masked: false,
            running: Some(true),
            restart_on: restart_on.clone(),
            reload_on: Vec::new(),
            disrupts: false,
        };
        let old = Stamp::declared(&unit, &manifest("one"));
        assert!(old.differing(&old.clone(), &restart_on).is_empty());
        let new = Stamp::declared(&unit, &manifest("two"));
        assert_eq!(old.differing(&new, &restart_on), ["file:/etc/a"]);
        let mut forgotten = old.clone();
        forgotten.triggers.remove("file:/etc/b");
        assert_eq!(forgotten.differing(&old, &restart_on), ["file:/etc/b"]);
    }
}
