//! Container images in podman's storage.

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Context, Failure, Result};
use crate::machine::Machine;
use crate::{disk, process};
use andamio_manifest::Image;
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;

/// podman's own index, read instead of a process of 100 ms.
const INDEX: &str = "/var/lib/containers/storage/overlay-images/images.json";
/// An image of a gigabyte on a slow disk.
const LOAD: Duration = Duration::from_secs(10 * 60);

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    names: Option<Vec<String>>,
}

impl Resource for Image {
    async fn diff(&self, _: &mut Machine) -> Result<Diff> {
        let mut diff = Diff::default();
        let index = disk::read(Path::new(INDEX))?;
        if !has(index.as_deref().unwrap_or(b"[]"), &self.name)? {
            diff.plus(format!("image {}", self.name));
        } else if Path::new(&self.archive).exists() {
            // What a run left that was killed between loading and removing.
            diff.minus(format!("{} (loaded already)", self.archive));
        }
        Ok(diff)
    }

    async fn make(&self, _: &mut Machine, say: &Say) -> Result<String> {
        let index = disk::read(Path::new(INDEX))?;
        if !has(index.as_deref().unwrap_or(b"[]"), &self.name)? {
            if !Path::new(&self.archive).exists() {
                return Err(Failure::new(format!(
                    "podman has no image {}, and its archive {} was not sent",
                    self.name, self.archive
                )));
            }
            say.say(format!("loading {}", self.archive));
            let argv = ["podman", "load", "--quiet", "-i", &self.archive];
            let output = process::run(&argv, "", LOAD).await?;
            let index = disk::read(Path::new(INDEX))?;
            if !has(index.as_deref().unwrap_or(b"[]"), &self.name)? {
                return Err(Failure::new(format!(
                    "{} holds {}, not {}",
                    self.archive,
                    output.trim().trim_start_matches("Loaded image: "),
                    self.name
                )));
            }
        }
        disk::remove(Path::new(&self.archive))?;
        Ok(String::new())
    }

    fn doing(&self) -> String {
        format!("image {}", self.name)
    }
}

fn has(index: &[u8], name: &str) -> Result<bool> {
    let entries: Vec<Entry> = serde_json::from_slice(index).during(format!("reading {INDEX}"))?;
    Ok(entries.iter().any(|entry| entry.names.iter().flatten().any(|n| n == name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names() {
        let index = br#"[{"id":"a","names":["localhost/ficharfirm:1"]},{"id":"b"},{"id":"c","names":null}]"#;
        assert!(has(index, "localhost/ficharfirm:1").unwrap());
        assert!(!has(index, "localhost/ficharfirm:2").unwrap());
        assert!(has(b"{", "x").is_err());
    }
}
