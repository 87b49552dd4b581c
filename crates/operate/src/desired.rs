//! What is wanted of an environment, as the state keeps it: a numbered series, written by every run that changes it,
//! before its first step. It makes a run possible without `andamio.toml` and without the application's source.

use crate::plan::DesiredChange;
use crate::{Failure, Kind};
use andamio_converge::Release;
use andamio_engine::{Store, StoreError, Timestamp};
use andamio_spec::{Finding, Group, Spec, parse};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const SERIES: &str = "desired";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    pub v: u32,
    /// Its place in the series; the name of the object says it.
    #[serde(skip)]
    pub number: u64,
    /// The one that it was made from; 0 where none was recorded.
    pub parent: u64,
    /// `down` leaves nothing wanted, and keeps what was.
    pub enabled: bool,
    /// Text of `andamio.toml`, which was checked.
    pub file: String,
    /// Of the text.
    pub sha256: String,
    /// By process; empty where there is no application.
    pub releases: BTreeMap<String, ReleaseName>,
    /// Port of the process that no file declares: what the image starts and exposes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposed: Option<u16>,
    /// Machines of each group.
    pub counts: BTreeMap<Group, u32>,
    /// Machines that the run stayed with; empty: all.
    pub limit: Vec<String>,
    /// `user@host`.
    pub by: String,
    pub written: Timestamp,
    /// The command: `up dev@local`.
    pub why: String,
}

/// A release, well enough to run it where its image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseName {
    pub id: String,
    pub image: String,
}

impl Desired {
    /// What is wanted now; `None` where no run has recorded it.
    ///
    /// # Errors
    /// When the state cannot be read, or holds something else.
    pub async fn newest(store: &Store) -> Result<Option<Self>, Failure> {
        let Some((number, body)) = store.newest(SERIES).await? else { return Ok(None) };
        let garbled =
            |e: serde_json::Error| StoreError::Garbled(format!("{SERIES} {number}"), e.to_string());
        let desired: Self = serde_json::from_slice(&body).map_err(garbled)?;
        Ok(Some(Self { number, ..desired }))
    }

    /// The same, where nothing can be done without it.
    ///
    /// # Errors
    /// As [`Self::newest`], and when there is none.
    pub async fn recorded(store: &Store, instance: &str) -> Result<Self, Failure> {
        Self::newest(store).await?.ok_or_else(|| {
            Failure::new(
                Kind::Usage,
                "not-recorded",
                format!("the state says nothing of what {instance} has to be"),
                "run `andamio up` once in the project's folder; or name another state with --state",
            )
        })
    }

    /// The declaration that it was made from.
    ///
    /// # Errors
    /// When this version does not take that text any more.
    pub fn spec(&self) -> Result<Spec, Failure> {
        let name = format!("{SERIES} {}", self.number);
        let parsed = parse(&name, &self.file);
        let wrong = parsed.findings.iter().find(|finding| finding.is_error());
        match (wrong.map(Finding::to_string), parsed.spec) {
            (None, Some(spec)) => Ok(spec),
            (why, _) => Err(Failure::new(
                Kind::Failed,
                "recorded-file",
                format!(
                    "this version does not take the recorded file: {}",
                    why.unwrap_or_default()
                ),
                "correct andamio.toml and run `andamio up` in the project's folder, or use the version that recorded it",
            )),
        }
    }

    /// What runs, where one image is all.
    #[must_use]
    pub fn release(&self) -> Option<Release> {
        let name = self.releases.values().next()?;
        Some(Release::new(&name.id, &name.image))
    }

    /// What has to be recorded for this to be wanted instead of `former`; `None` where that says it already. Who stays
    /// with some machines takes back nothing that is wanted of the others.
    #[must_use]
    pub fn instead_of(mut self, former: Option<&Self>) -> Option<Self> {
        let Some(former) = former else { return Some(self) };
        let content = |of: &Self| {
            let releases = (of.releases.clone(), of.exposed);
            (of.enabled, of.sha256.clone(), releases, of.counts.clone())
        };
        if content(&self) != content(former) {
            return Some(self);
        }
        if former.limit.is_empty() {
            return None;
        }
        if !self.limit.is_empty() {
            self.limit.extend(former.limit.iter().cloned());
            self.limit.sort();
            self.limit.dedup();
        }
        (self.limit != former.limit).then_some(self)
    }

    /// Makes it the newest. Somebody who recorded something else since it was planned is not overruled.
    ///
    /// # Errors
    /// [`Kind::Refused`] then; otherwise when the state cannot be written.
    pub async fn record(&self, store: &Store) -> Result<u64, Failure> {
        let number = self.parent + 1;
        let body = serde_json::to_vec_pretty(self).unwrap_or_default();
        if store.create(SERIES, number, body).await? {
            return Ok(number);
        }
        Err(Failure::new(
            Kind::Refused,
            "stale-plan",
            format!("somebody recorded what is wanted (number {number}) since this was planned"),
            "look at it with `andamio state show`, then run the same command again",
        ))
    }

    /// Numbers before and after it is recorded.
    #[must_use]
    pub fn change(wanted: Option<&Self>, former: Option<&Self>) -> DesiredChange {
        let from = former.map_or(0, |former| former.number);
        DesiredChange { from, to: wanted.map_or(from, |wanted| wanted.parent + 1) }
    }
}

#[cfg(test)]
mod tests;
