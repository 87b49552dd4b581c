//! How many machines of a group may be away at once. No plan may go beyond it.

use super::{DisruptionBudget, Topology};
use crate::model::{Group, Layout};

pub(super) fn compute(topology: &Topology) -> Vec<DisruptionBudget> {
    Group::ALL
        .into_iter()
        .filter_map(|group| {
            let layout = topology.group(group).next()?.layout;
            let machines = u32::try_from(topology.group(group).count()).unwrap_or(u32::MAX);
            let (max_unavailable, reason) = budget_of(group, layout, machines);
            Some(DisruptionBudget { group, machines, max_unavailable, reason: reason.to_owned() })
        })
        .collect()
}

/// Also where a majority would survive the loss of more than one, at most one goes at a time:
/// another may fail by itself meanwhile.
fn budget_of(group: Group, layout: Layout, machines: u32) -> (u32, &'static str) {
    match (group, layout, machines) {
        (Group::Ops, ..) => (1, "not in the path of a request"),
        (_, _, 0 | 1) => (0, "the loss of it is an outage"),
        (Group::App, ..) => (1, "the others take its requests; one at a time"),
        (Group::Mariadb, Layout::Replica, _) => {
            (0, "two nodes have no majority; promotion is a verb")
        }
        (Group::Mariadb, ..) => (1, "the others have a majority and stay writable"),
        (Group::Redis, _, 2) => {
            (0, "two machines have no majority of masters to elect a replacement")
        }
        (Group::Redis, ..) => (1, "each master's replica is on another machine"),
        (Group::Rabbitmq, _, 2) => {
            (0, "two nodes have no majority: queues keep their messages and stop")
        }
        (Group::Rabbitmq, ..) => (1, "quorum queues go on with the majority"),
        (Group::Balancer, ..) => (1, "the other takes the floating address"),
    }
}
