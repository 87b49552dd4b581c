//! What a run leaves on a machine, so that it can be asked by who knows no secret.
//!
//! Whoever asks renders what is declared with a stand-in for each secret. A resource that has secrets in it is then known
//! by the digest of this form, and the machine puts the real one in its place.

use crate::Resource;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Where it is: root's, 0600.
pub const KEPT: &str = "/var/lib/andamio/kept.json";

/// How every stand-in begins.
pub const STAND_IN: &str = "andamio-stand-in-";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub v: u32,
    /// Digest of a resource with stand-ins → the resource.
    pub by: BTreeMap<String, Resource>,
    /// What is there because of a secret's value, and has no form with stand-ins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Resource>,
}

impl Kept {
    /// Of a machine's resources, `real` and with stand-ins.
    #[must_use]
    pub fn of(real: Vec<Resource>, stand_ins: &[Resource]) -> Self {
        let forms: BTreeMap<String, &Resource> = stand_ins.iter().map(|r| (r.id(), r)).collect();
        let mut kept = Self { v: crate::VERSION, ..Self::default() };
        for resource in real {
            match forms.get(&resource.id()) {
                Some(form) if **form == resource => {}
                Some(form) => drop(kept.by.insert(digest(form), resource)),
                None => kept.more.push(resource),
            }
        }
        kept
    }

    /// Puts what was kept in the place of stand-ins. What was declared since stays as it is.
    pub fn fill(mut self, resources: &mut Vec<Resource>) {
        for resource in resources.iter_mut() {
            if let Some(real) = self.by.remove(&digest(resource)) {
                *resource = real;
            }
        }
        resources.extend(self.more);
    }
}

impl Resource {
    /// Is there a stand-in in it, in the place of a secret?
    #[must_use]
    pub fn has_stand_in(&self) -> bool {
        serde_json::to_string(self).is_ok_and(|text| text.contains(STAND_IN))
    }
}

fn digest(resource: &Resource) -> String {
    // Serializing plain data with string keys cannot fail.
    hex::encode(Sha256::digest(serde_json::to_vec(resource).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{File, Kind, Text};

    fn file(path: &str, text: &str) -> Resource {
        let content = Some(Text { text: text.to_owned(), sensitive: true });
        let (owner, group) = ("root".to_owned(), "root".to_owned());
        let path = path.to_owned();
        Resource::new(
            "a",
            Kind::File(File { path, content, mode: 0o600, owner, group, validate: Vec::new() }),
        )
    }

    #[test]
    fn what_has_a_secret_is_known_by_its_form() {
        let form = |mark: &str| file("/b", &format!("password {STAND_IN}b-{mark}"));
        let (open, secret, more) =
            (file("/a", "a"), file("/b", "password hunter22"), file("/c", "c"));
        let real = vec![open.clone(), secret.clone(), more.clone()];
        let kept = Kept::of(real, &[open.clone(), form("1")]);
        assert_eq!((kept.by.len(), kept.more.len()), (1, 1));
        let mut asked = vec![open.clone(), form("1")];
        kept.clone().fill(&mut asked);
        assert_eq!(asked, [open, secret, more]);
        assert!(asked.iter().all(|resource| !resource.has_stand_in()));
        // The secret has changed since.
        let mut asked = vec![form("2")];
        kept.fill(&mut asked);
        assert!(asked[0].has_stand_in());
    }
}
