//! A plan as data: what would happen, in the form of the contract. Its id is its hash.

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
fn few(names: &[String]) -> String {
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
}

impl PlanReport {
    /// Puts the parts together and computes `empty` and `id`.
    #[must_use]
    pub fn new(
        env: &str,
        place: &str,
        machines: Vec<MachineChange>,
        changes: Vec<Change>,
        cost: Option<CostChange>,
        refusals: Vec<Refused>,
        notes: Vec<String>,
    ) -> Self {
        let idle = machines.iter().all(|m| m.action == MachineAction::None);
        let mut plan = Self {
            v: 1,
            kind: "plan".to_owned(),
            id: String::new(),
            env: env.to_owned(),
            place: place.to_owned(),
            empty: idle && changes.is_empty(),
            machines,
            changes,
            cost,
            refusals,
            notes,
        };
        let text = serde_json::to_vec(&plan).unwrap_or_default();
        plan.id = hex::encode(&Sha256::digest(text)[..8]);
        plan
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
        PlanReport::new("dev", "local", machines, changes, None, Vec::new(), Vec::new())
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
