//! In which order the machines of one group are made true: what is not serving at once, what is serving
//! one by one, and what the cluster as a whole needs before, between and after.

use super::planner::PlannedChanges;
use crate::plan::operation::{Extent, Operation, OperationKind as Do};
use andamio_converge::table;
use andamio_spec::model::Layout;
use andamio_spec::{Group, Topology};

pub(super) struct Groups<'a> {
    pub(super) topology: &'a Topology,
    pub(super) changes: &'a PlannedChanges,
    /// Groups whose cluster is something of its own, beyond its machines.
    pub(super) clusters: &'a [Group],
}

impl Groups<'_> {
    /// Operations of a group that has data; answers what has to be done before the application.
    pub(super) fn data(&self, group: Group, all: &mut Vec<Operation>) -> Vec<String> {
        let members = self.members(group);
        let (rolling, fresh): (Vec<&String>, Vec<&String>) =
            members.iter().partition(|name| self.changes.rolling.contains(*name));
        let mut before = self.before(group, &members, all);
        let mut done = before.clone();
        let created = |name: &&&String| {
            self.changes.create.contains(**name) || self.changes.emptied.contains(**name)
        };
        // A member without its data comes after those that have to forget its old name.
        let (new, old): (Vec<&String>, Vec<&String>) = fresh.iter().partition(created);
        for name in old {
            done.push(self.converge(name, &before, all));
        }
        let forgets = table(group.role()).cluster.as_ref().is_some_and(|c| c.forget.is_some());
        if forgets && !new.is_empty() && new.len() < self.count(group) {
            let members = new.iter().map(|name| (*name).clone()).collect();
            let (id, title) = (format!("forget:{group}"), "forget members that are gone");
            let operation = Operation::new(&id, title, Do::ForgetMembers { group, members });
            all.push(operation.after(done.clone()));
            done.push(id);
            before.clone_from(&done);
        }
        for name in new {
            done.push(self.converge(name, &before, all));
            // Two that join at once disturb each other, and only one is copied to at a time.
            if self.layout(group) == Some(Layout::Galera) {
                before.clone_from(&done);
            }
        }
        // The first of a group is mostly its leader, and goes last.
        for name in rolling.iter().rev() {
            if let Some(last) = self.gate(group, &done, all) {
                done.push(last);
            }
            let id = self.converge(name, &done, all);
            // Also the restart of its machine waits for its turn.
            let machine = format!("machine:{name}");
            if let Some(operation) = all.iter_mut().find(|operation| operation.id == machine) {
                operation.needs.extend(done.clone());
            }
            done.push(id);
        }
        if self.changes.clusters.contains(&group)
            && let Some(kind) = self.whole(group)
        {
            let id = format!("cluster:{group}");
            let operation = Operation::new(&id, format!("the {group} cluster as a whole"), kind);
            all.push(operation.after(done.clone()));
            done.push(id);
        }
        done
    }

    /// Operations of a group without data, after `after`.
    pub(super) fn others(&self, group: Group, after: &[String], all: &mut Vec<Operation>) {
        let members = self.members(group);
        let (rolling, fresh): (Vec<&String>, Vec<&String>) =
            members.iter().partition(|name| self.changes.rolling.contains(*name));
        let mut done = after.to_vec();
        if !after.is_empty() {
            // Meanwhile, and also when what it waits for fails.
            done.extend(
                fresh
                    .iter()
                    .filter_map(|name| self.prerequisites_of(name, all))
                    .collect::<Vec<_>>(),
            );
        }
        let after = done.clone();
        let after = after.as_slice();
        done.extend(fresh.iter().map(|name| self.converge(name, after, all)).collect::<Vec<_>>());
        for name in rolling {
            let id = self.converge(name, &done, all);
            done.push(id);
        }
    }

    fn members(&self, group: Group) -> Vec<String> {
        let of_group = |name: &&String| {
            self.topology.machine(name).is_some_and(|machine| machine.group == group)
        };
        let mut members: Vec<String> =
            self.changes.converge.iter().filter(of_group).cloned().collect();
        members.dedup();
        members
    }

    fn count(&self, group: Group) -> usize {
        self.topology.group(group).count()
    }

    fn layout(&self, group: Group) -> Option<Layout> {
        self.topology.group(group).next().map(|machine| machine.layout)
    }

    fn converge(&self, name: &str, after: &[String], all: &mut Vec<Operation>) -> String {
        let id = format!("converge:{name}");
        let machine = format!("machine:{name}");
        let mut needs = after.to_vec();
        needs.extend(if after.is_empty() {
            all.iter().any(|operation| operation.id == machine).then_some(machine)
        } else {
            self.prerequisites(name, all)
        });
        let kind = Do::Converge { extent: Extent::Whole };
        all.push(Operation::new(&id, format!("converge {name}"), kind).on(name).after(needs));
        id
    }

    /// What a new machine can be given while its service waits for others; answers what has to be done
    /// before anything else is.
    fn prerequisites(&self, name: &str, all: &mut Vec<Operation>) -> Option<String> {
        let machine = format!("machine:{name}");
        if !all.iter().any(|operation| operation.id == machine) {
            return None;
        }
        if self.changes.create.iter().all(|created| created != name) {
            return Some(machine);
        }
        self.prerequisites_of(name, all)
    }

    /// What all roles of a machine stand on, as an operation of its own; answers its id.
    pub(super) fn prerequisites_of(&self, name: &str, all: &mut Vec<Operation>) -> Option<String> {
        self.topology.machine(name)?;
        let (machine, id) = (format!("machine:{name}"), format!("prerequisites:{name}"));
        if !all.iter().any(|operation| operation.id == id) {
            let title = format!("install what {name} needs first");
            let operation =
                Operation::new(&id, title, Do::Converge { extent: Extent::Prerequisites });
            let new = all.iter().any(|operation| operation.id == machine);
            all.push(operation.on(name).after(new.then_some(machine)));
        }
        Some(id)
    }

    /// What has to be found out before any member of the group is started.
    fn before(&self, group: Group, members: &[String], all: &mut Vec<Operation>) -> Vec<String> {
        if members.is_empty() || self.layout(group) != Some(Layout::Galera) {
            return Vec::new();
        }
        let needs: Vec<String> =
            members.iter().filter_map(|name| self.prerequisites(name, all)).collect();
        let id = "start:mariadb".to_owned();
        let title = "find or begin the MariaDB cluster";
        all.push(Operation::new(&id, title, Do::StartGalera).after(needs));
        vec![id]
    }

    /// Between two members that serve: the cluster is whole again. Where the cluster has no part of its
    /// own, a machine's own probe has seen to that.
    fn gate(&self, group: Group, done: &[String], all: &mut Vec<Operation>) -> Option<String> {
        if done.is_empty() {
            return None;
        }
        let kind = self.whole(group)?;
        let id = format!("gate:{group}-{}", all.len());
        let title = format!("wait until the {group} cluster is whole");
        all.push(Operation::new(&id, title, kind).after(done.to_vec()));
        Some(id)
    }

    fn whole(&self, group: Group) -> Option<Do> {
        let replicates = self.layout(group) == Some(Layout::Replica);
        let kind = if replicates { Do::EnsureReplication } else { Do::ConvergeCluster { group } };
        self.clusters.contains(&group).then_some(kind)
    }
}
