//! What was live when it was looked at. Stale by nature: machines go on meanwhile.

use crate::node::NodeReport;
use andamio_provision::{Inventory, SharedResources};
use andamio_spec::Group;
use std::collections::BTreeMap;

/// A running machine's answer to "what would change?".
#[derive(Debug, Clone)]
pub enum Checked {
    Answered(NodeReport),
    /// It runs and could not be asked: why, and whether it does not answer at all.
    Silent {
        why: String,
        hangs: bool,
    },
}

#[derive(Debug, Clone, Default)]
pub struct Observed {
    pub inventory: Inventory,
    pub checks: BTreeMap<String, Checked>,
    pub shared: SharedResources,
    /// What a running machine says of its cluster as a whole.
    pub clusters: Vec<(Group, String, NodeReport)>,
}
