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

impl MachineAction {
    fn interrupts(self) -> bool {
        matches!(self, Self::Replace | Self::Delete | Self::Unreachable)
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

    /// True when running it interrupts users or loses data, so that `up` asks first.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.changes.iter().any(|c| c.disrupts)
            || self.machines.iter().any(|m| m.action.interrupts())
    }
}
