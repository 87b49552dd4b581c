//! A plan as data: what would happen, and the operations that make it happen, in the form that is shown, kept in a file,
//! and carried out. Its id is its hash.

pub mod operation;

pub use operation::{Operation, OperationKind};

use crate::{Failure, Kind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineAction {
    None,
    Create,
    /// It exists but does not run. For readers of the plan that is a machine they cannot reach.
    #[serde(rename(serialize = "unreachable"))]
    Start,
    Replace,
    Delete,
    Unreachable,
}

/// The first of them by name, and how many more.
pub(crate) fn few(names: &[String]) -> String {
    const SHOWN: usize = 4;
    match names.split_at_checked(SHOWN) {
        Some((first, rest)) if !rest.is_empty() => {
            format!("{} and {} more", first.join(", "), rest.len())
        }
        _ => names.join(", "),
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineChange {
    pub name: String,
    pub action: MachineAction,
    /// What a person should know, for example that its data is lost.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Why something would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The machine differs from what was last declared.
    Drift,
    /// The declaration changed.
    Spec,
    /// Another release of the application.
    Release,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub machine: String,
    pub resource: String,
    pub action: String,
    pub reason: Reason,
    pub diff: String,
    pub disrupts: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostChange {
    pub currency: String,
    pub month_before: f64,
    pub month_after: f64,
    pub budget: Option<f64>,
}

/// Why a plan may not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub code: String,
    /// The key of andamio.toml that refused; empty where it is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    pub message: String,
    pub help: String,
}

/// Numbers of recorded wanted states: the one that is, and the one that will be. 0: none is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredChange {
    pub from: u64,
    pub to: u64,
}

/// Ids of releases: the live one, where there is one, and the one that will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseChange {
    pub from: Option<String>,
    pub to: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanReport {
    pub v: u32,
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
    pub env: String,
    pub place: String,
    pub empty: bool,
    pub machines: Vec<MachineChange>,
    pub changes: Vec<Change>,
    pub cost: Option<CostChange>,
    pub refusals: Vec<Refused>,
    /// One-line remarks: what this layout cannot promise, what will be lost.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What is done, and what has to be done before each. Carrying out the plan is carrying out these.
    #[serde(default)]
    pub operations: Vec<Operation>,
    #[serde(default)]
    pub desired: Option<DesiredChange>,
    #[serde(default)]
    pub release: Option<ReleaseChange>,
}

impl PlanReport {
    /// Says of each operation whether users notice it.
    pub(crate) fn mark_disruptive(&mut self) {
        for operation in &mut self.operations {
            let Some(name) = &operation.machine else { continue };
            let unanswered =
                |m: &MachineChange| m.name == *name && m.action == MachineAction::Unreachable;
            let disrupts = |c: &Change| c.machine == *name && c.disrupts;
            operation.disrupts = match operation.kind {
                OperationKind::RestartMachine => self.machines.iter().any(unanswered),
                OperationKind::Converge { extent: operation::Extent::Whole } => {
                    self.changes.iter().any(disrupts)
                }
                _ => false,
            };
        }
    }

    /// Computes what follows from the rest: `empty`, and the id.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        let idle = self.machines.iter().all(|m| m.action == MachineAction::None);
        self.v = 1;
        "plan".clone_into(&mut self.kind);
        let removes = |o: &Operation| o.kind == OperationKind::RemoveEnvironment;
        self.empty = idle && self.changes.is_empty() && !self.operations.iter().any(removes);
        self.id = self.hash();
        self
    }

    /// Is it what was sealed? Another one was changed by hand.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.id == self.hash()
    }

    /// Is it, read from a file, what would be planned now?
    ///
    /// # Errors
    /// [`Kind::Refused`] when it is not, or when it was changed by hand.
    pub(crate) fn still_holds(&self, now: &Self) -> Result<(), Failure> {
        if !self.is_whole() {
            return Err(Failure::new(
                Kind::Refused,
                "edited-plan",
                format!(
                    "the plan is not what `plan --out` wrote: it does not match its id {}",
                    self.id
                ),
                "write it again with `andamio plan --out`, and change andamio.toml for another plan",
            ));
        }
        if self.id == now.id {
            return Ok(());
        }
        let message = format!(
            "the live state has moved: plan {} was reviewed, it would be {} now",
            self.id, now.id
        );
        let help = "review it again with `andamio plan --out`";
        Err(Failure::new(Kind::Refused, "stale-plan", message, help))
    }

    fn hash(&self) -> String {
        let bare = Self { id: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&bare).unwrap_or_default();
        hex::encode(&Sha256::digest(text)[..8])
    }

    /// What running it does to users and data, so that `up` asks first; `None` when it does nothing to them.
    #[must_use]
    pub fn question(&self) -> Option<String> {
        let named = |action: &[MachineAction]| {
            let of = self.machines.iter().filter(|m| action.contains(&m.action));
            of.map(|m| m.name.clone()).collect::<Vec<_>>()
        };
        let gone = named(&[MachineAction::Delete, MachineAction::Replace]);
        let silent = named(&[MachineAction::Unreachable]);
        let changed = self.changes.iter().filter(|change| change.disrupts);
        let changed: Vec<String> =
            changed.map(|change| format!("{} {}", change.machine, change.resource)).collect();
        let mut said = Vec::new();
        if !gone.is_empty() {
            said.push(format!("removes {} with all data on it", few(&gone)));
        }
        if !silent.is_empty() {
            said.push(format!("restarts {}, which users may be using", few(&silent)));
        }
        if !changed.is_empty() {
            said.push(format!("interrupts users by a change of {}", few(&changed)));
        }
        let what = match said.as_slice() {
            [] => return None,
            [one] => one.clone(),
            several => several.join("; it "),
        };
        Some(format!("This {what} ({}@{}).", self.env, self.place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(machines: &[(&str, MachineAction)], disrupting: &[&str]) -> PlanReport {
        let machine = |(name, action): &(&str, MachineAction)| MachineChange {
            name: (*name).to_owned(),
            action: *action,
            note: String::new(),
        };
        let change = |resource: &&str| Change {
            machine: "app-1".to_owned(),
            resource: (*resource).to_owned(),
            action: "change".to_owned(),
            reason: Reason::Spec,
            diff: String::new(),
            disrupts: true,
        };
        let machines = machines.iter().map(machine).collect();
        let changes = disrupting.iter().map(change).collect();
        let (env, place) = ("dev".to_owned(), "local".to_owned());
        PlanReport { env, place, machines, changes, ..PlanReport::default() }.sealed()
    }

    #[test]
    fn a_plan_that_was_changed_by_hand_is_known() {
        let plan = report(&[("app-1", MachineAction::Start)], &["unit:lab-web.service"]);
        let text = serde_json::to_string(&plan).unwrap();
        let read: PlanReport = serde_json::from_str(&text).unwrap();
        assert!(read.is_whole());
        let read: PlanReport = serde_json::from_str(&text.replace("app-1", "app-2")).unwrap();
        assert!(!read.is_whole());
    }

    #[test]
    fn a_question_says_what_happens_to_whom() {
        assert_eq!(report(&[("app-1", MachineAction::Create)], &[]).question(), None);
        let asked =
            report(&[("app-3", MachineAction::Delete)], &["unit:lab-web.service"]).question();
        let wanted = "This removes app-3 with all data on it; it interrupts users by a change of \
                      app-1 unit:lab-web.service (dev@local).";
        assert_eq!(asked.as_deref(), Some(wanted));
        let asked = report(&[("app-1", MachineAction::Unreachable)], &[]).question();
        let wanted = "This restarts app-1, which users may be using (dev@local).";
        assert_eq!(asked.as_deref(), Some(wanted));
        let asked = report(&[], &["a", "b", "c", "d", "e", "f"]).question().unwrap();
        assert!(asked.contains("app-1 d and 2 more"), "{asked}");
    }
}
