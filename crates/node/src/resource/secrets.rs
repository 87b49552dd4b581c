//! Secrets in podman's store, which containers take as variables.

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Context, Result};
use crate::machine::Machine;
use crate::{disk, process};
use andamio_manifest::Secrets;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// podman's own files (0600, in folders of 0700), read instead of a process of 100 ms for each secret.
const INDEX: &str = "/var/lib/containers/storage/secrets/secrets.json";
const VALUES: &str = "/var/lib/containers/storage/secrets/filedriver/secretsdata.json";
/// podman waits for a lock that another podman has.
const CHANGE: Duration = Duration::from_secs(60);

#[derive(Deserialize, Default)]
struct Index {
    #[serde(default, rename = "nameToID")]
    names: BTreeMap<String, String>,
}

impl Resource for Secrets {
    async fn diff(&self, _: &mut Machine) -> Result<Diff> {
        let live = live(&self.prefix)?;
        let mut diff = Diff::default();
        for name in live.keys().filter(|name| !self.values.contains_key(*name)) {
            diff.minus(name);
        }
        for name in self.values.keys().filter(|name| differs(self, &live, name)) {
            if live.contains_key(name) {
                diff.remark(format!("{name} differs (secret)"));
            } else {
                diff.plus(name);
            }
        }
        Ok(diff)
    }

    async fn make(&self, _: &mut Machine, say: &Say) -> Result<String> {
        let live = live(&self.prefix)?;
        for name in live.keys().filter(|name| !self.values.contains_key(*name)) {
            say.say(format!("removing {name}"));
            let stored = format!("{}{name}", self.prefix);
            process::run(&["podman", "secret", "rm", &stored], "", CHANGE).await?;
        }
        for (name, value) in &self.values {
            if differs(self, &live, name) {
                say.say(format!("storing {name}"));
                let stored = format!("{}{name}", self.prefix);
                let argv = ["podman", "secret", "create", "--replace", &stored, "-"];
                process::run(&argv, &value.text, CHANGE).await?;
            }
        }
        Ok(String::new())
    }

    fn doing(&self) -> String {
        "secrets of the application".to_owned()
    }
}

fn differs(declared: &Secrets, live: &BTreeMap<String, Vec<u8>>, name: &str) -> bool {
    let wanted = declared.values.get(name).map(|value| value.text.as_bytes());
    live.get(name).map(Vec::as_slice) != wanted
}

/// What the store has below a prefix: name without it → value. One whose value is lost is empty, which no
/// declared one is.
fn live(prefix: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let (index, values) = (disk::read(Path::new(INDEX))?, disk::read(Path::new(VALUES))?);
    read(prefix, index.as_deref().unwrap_or(b"{}"), values.as_deref().unwrap_or(b"{}"))
}

fn read(prefix: &str, index: &[u8], values: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let index: Index = serde_json::from_slice(index).during(format!("reading {INDEX}"))?;
    let values: BTreeMap<String, String> =
        serde_json::from_slice(values).during(format!("reading {VALUES}"))?;
    let own = index.names.iter().filter_map(|(name, id)| Some((name.strip_prefix(prefix)?, id)));
    let value = |id| values.get(id).and_then(|text: &String| STANDARD.decode(text).ok());
    Ok(own.map(|(name, id)| (name.to_owned(), value(id).unwrap_or_default())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_podmans_store() {
        let index = br#"{"secrets":{"1a":{"name":"andamio-KEY"}},
            "nameToID":{"andamio-KEY":"1a","andamio-LOST":"2b","other":"3c"},"idToName":{}}"#;
        let values = br#"{"1a":"YQpi","3c":"YQ=="}"#;
        let live = read("andamio-", index, values).unwrap();
        assert_eq!(
            live,
            BTreeMap::from([("KEY".into(), b"a\nb".to_vec()), ("LOST".into(), vec![])])
        );
        assert!(read("andamio-", b"{}", b"{}").unwrap().is_empty());
        assert!(read("andamio-", b"[", b"{}").is_err());
    }
}
