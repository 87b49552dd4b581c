//! Faults that are asked for: every so many matching requests one goes wrong, always the same ones of
//! a series, so that a failing run can be repeated.

use serde::{Deserialize, Serialize};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// 429 with `Retry-After: 1`.
    TooMany,
    /// 500; nothing was done.
    Internal,
    /// 503; nothing was done.
    Unavailable,
    /// 408; nothing was done.
    RequestTimeout,
    /// No answer: the connection is closed after a while. Nothing was done.
    Timeout,
    /// No answer, though everything was done.
    Lost,
    /// 400 with the words "Linode busy.".
    Busy,
}

const NAMES: &[(&str, What)] = &[
    ("429", What::TooMany),
    ("500", What::Internal),
    ("503", What::Unavailable),
    ("408", What::RequestTimeout),
    ("timeout", What::Timeout),
    ("lost", What::Lost),
    ("busy", What::Busy),
];

/// Written `WHAT:EVERY[:METHOD[:PATH]]`; `busy:3:POST:/linode/instances` is every third POST to that path
/// and those below it. `*` in place of a method is all, in place of a part of the path any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub what: What,
    pub every: u64,
    pub method: Option<String>,
    pub path: String,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(4, ':');
        let name = parts.next().unwrap_or_default();
        let what = NAMES.iter().find(|(known, _)| *known == name).map(|(_, what)| *what);
        let what = what.ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            format!("`{name}` is none of {}", names.join(", "))
        })?;
        let every = parts.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
        let every =
            every.ok_or("after the first `:` comes a number, 1 or more: every so many requests")?;
        let method = parts.next().filter(|m| !m.is_empty() && *m != "*").map(str::to_uppercase);
        let path = parts.next().unwrap_or("/").to_owned();
        if !path.starts_with('/') {
            return Err(format!("the path `{path}` begins with `/`, without /v4"));
        }
        Ok(Self { what, every, method, path })
    }
}

/// Each fault with the matching requests so far.
#[derive(Default)]
pub struct Faults {
    all: Mutex<Vec<(Fault, u64)>>,
}

impl Faults {
    pub fn new(all: Vec<Fault>) -> Self {
        let all = all.into_iter().map(|fault| (fault, 0)).collect();
        Self { all: Mutex::new(all) }
    }

    /// What goes wrong with this request; `path` is without the version. Every matching fault counts
    /// it, and the first that is due is the one.
    pub fn strike(&self, method: &str, path: &str) -> Option<What> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = None;
        for (fault, seen) in &mut *all {
            let matches = fault.method.as_deref().is_none_or(|m| m == method);
            if matches && is_below(&fault.path, path) {
                *seen += 1;
                if *seen % fault.every == 0 {
                    due = due.or(Some(fault.what));
                }
            }
        }
        due
    }
}

fn is_below(pattern: &str, path: &str) -> bool {
    let parts = |path: &'_ str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (pattern, path) = (parts(pattern), parts(path));
    let same = pattern.iter().zip(&path).all(|(wanted, part)| wanted == "*" || wanted == part);
    pattern.len() <= path.len() && same
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_third_of_what_matches() {
        let faults = Faults::new(vec!["busy:3:post:/linode/instances".parse().unwrap()]);
        let struck: Vec<bool> =
            (0..7).map(|_| faults.strike("POST", "/linode/instances/1/boot").is_some()).collect();
        assert_eq!(struck, [false, false, true, false, false, true, false]);
        assert_eq!(faults.strike("GET", "/linode/instances"), None);
        assert_eq!(faults.strike("POST", "/volumes"), None);
        let addresses = Faults::new(vec!["500:1:*:/linode/instances/*/ips".parse().unwrap()]);
        assert_eq!(addresses.strike("GET", "/linode/instances/7/ips"), Some(What::Internal));
        assert_eq!(addresses.strike("GET", "/linode/instances/7"), None);
        assert_eq!(addresses.strike("GET", "/linode/instances/7/ipsum"), None);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (text, why) in [
            ("404:2", "none of"),
            ("500", "number"),
            ("500:0", "number"),
            ("500:1:GET:v4", "begins"),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let all: Fault = "lost:1".parse().unwrap();
        assert_eq!((all.method, all.path.as_str()), (None, "/"));
    }
}
