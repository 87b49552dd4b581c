//! In which order the machines of one group are made true: what is not serving at once, what is serving
//! one by one, and what the cluster as a whole needs before, between and after.

use super::actions::Converge;
use super::cluster::{ConvergeCluster, EnsureReplication, Forget, GaleraStart};
use super::planner::PlannedChanges;
use crate::instance::Shared;
use andamio_converge::{CONTAINERS, ClusterManifest};
use andamio_engine::{Action, Step};
use andamio_manifest::Manifest;
use andamio_spec::Group;
use andamio_spec::model::Layout;
use std::sync::Arc;

pub(super) struct Plan<'a> {
    pub(super) instance: &'a Shared,
    pub(super) work: &'a PlannedChanges,
    pub(super) whole: &'a [Manifest],
    pub(super) parts: &'a [ClusterManifest],
}

impl Plan<'_> {
    /// Steps of a group that has data; answers what has to be done before the application.
    pub(super) fn data(&self, group: Group, steps: &mut Vec<Step>) -> Vec<String> {
        let members = self.members(group);
        let (rolling, fresh): (Vec<&String>, Vec<&String>) =
            members.iter().partition(|name| self.work.rolling.contains(*name));
        let mut before = self.before(group, &members, steps);
        let mut done = before.clone();
        let created = |name: &&&String| {
            self.work.create.contains(**name) || self.work.emptied.contains(**name)
        };
        // A member without its data comes after those that have to forget its old name.
        let (new, old): (Vec<&String>, Vec<&String>) = fresh.iter().partition(created);
        for name in old {
            done.push(self.converge(name, &before, steps));
        }
        if group == Group::Rabbitmq && !new.is_empty() && new.len() < self.count(group) {
            let members = new.iter().map(|name| (*name).clone()).collect();
            let action = Forget(Arc::clone(self.instance), members);
            let step = Step::new("forget:rabbitmq", "forget members that are gone", action);
            steps.push(step.after(done.clone()));
            done.push("forget:rabbitmq".to_owned());
            before.clone_from(&done);
        }
        for name in new {
            done.push(self.converge(name, &before, steps));
            // Two that join at once disturb each other, and only one is copied to at a time.
            if self.layout(group) == Some(Layout::Galera) {
                before.clone_from(&done);
            }
        }
        // The first of a group is mostly its leader, and goes last.
        for name in rolling.iter().rev() {
            if let Some(last) = self.gate(group, &done, steps) {
                done.push(last);
            }
            let id = self.converge(name, &done, steps);
            // Also the restart of its machine waits for its turn.
            let machine = format!("machine:{name}");
            if let Some(step) = steps.iter_mut().find(|step| step.id == machine) {
                step.needs.extend(done.clone());
            }
            done.push(id);
        }
        if self.work.clusters.contains(&group)
            && let Some(action) = self.whole(group)
        {
            let id = format!("cluster:{group}");
            let step = boxed(&id, format!("the {group} cluster as a whole"), action);
            steps.push(step.after(done.clone()));
            done.push(id);
        }
        done
    }

    /// Steps of a group without data, after `after`.
    pub(super) fn others(&self, group: Group, after: &[String], steps: &mut Vec<Step>) {
        let members = self.members(group);
        let (rolling, fresh): (Vec<&String>, Vec<&String>) =
            members.iter().partition(|name| self.work.rolling.contains(*name));
        let mut done = after.to_vec();
        if !after.is_empty() {
            // Meanwhile, and also when what it waits for fails.
            done.extend(
                fresh
                    .iter()
                    .filter_map(|name| self.prerequisites_of(name, steps))
                    .collect::<Vec<_>>(),
            );
        }
        let after = done.clone();
        let after = after.as_slice();
        done.extend(fresh.iter().map(|name| self.converge(name, after, steps)).collect::<Vec<_>>());
        for name in rolling {
            let id = self.converge(name, &done, steps);
            done.push(id);
        }
    }

    fn members(&self, group: Group) -> Vec<String> {
        let of_group = |name: &&String| {
            self.instance.topology.machine(name).is_some_and(|machine| machine.group == group)
        };
        let mut members: Vec<String> =
            self.work.converge.iter().filter(of_group).cloned().collect();
        members.dedup();
        members
    }

    fn count(&self, group: Group) -> usize {
        self.instance.topology.group(group).count()
    }

    fn layout(&self, group: Group) -> Option<Layout> {
        self.instance.topology.group(group).next().map(|machine| machine.layout)
    }

    fn converge(&self, name: &str, after: &[String], steps: &mut Vec<Step>) -> String {
        let id = format!("converge:{name}");
        if let Some(manifest) = self.whole.iter().find(|m| m.machine == name) {
            let mut needs = after.to_vec();
            let machine = format!("machine:{name}");
            needs.extend(if after.is_empty() {
                steps.iter().any(|step| step.id == machine).then_some(machine)
            } else {
                self.prerequisites(name, steps)
            });
            let action = Converge(Arc::clone(self.instance), manifest.clone());
            let step = Step::new(&id, format!("converge {name}"), action);
            steps.push(step.on(name).after(needs));
        }
        id
    }

    /// What a new machine can be given while its service waits for others; answers what has to be done
    /// before anything else is.
    fn prerequisites(&self, name: &str, steps: &mut Vec<Step>) -> Option<String> {
        let machine = format!("machine:{name}");
        if !steps.iter().any(|step| step.id == machine) {
            return None;
        }
        if self.work.create.iter().all(|created| created != name) {
            return Some(machine);
        }
        self.prerequisites_of(name, steps)
    }

    /// What all roles of a machine stand on, as a step of its own; answers its id.
    pub(super) fn prerequisites_of(&self, name: &str, steps: &mut Vec<Step>) -> Option<String> {
        let (machine, id) = (format!("machine:{name}"), format!("prerequisites:{name}"));
        if !steps.iter().any(|step| step.id == id) {
            let mut manifest = self.whole.iter().find(|m| m.machine == name)?.clone();
            manifest.resources.retain(|r| ["base", CONTAINERS].contains(&&*r.role));
            let action = Converge(Arc::clone(self.instance), manifest);
            let step = Step::new(&id, format!("install what {name} needs first"), action);
            let new = steps.iter().any(|step| step.id == machine);
            steps.push(step.on(name).after(new.then_some(machine)));
        }
        Some(id)
    }

    /// What has to be found out before any member of the group is started.
    fn before(&self, group: Group, members: &[String], steps: &mut Vec<Step>) -> Vec<String> {
        if members.is_empty() || self.layout(group) != Some(Layout::Galera) {
            return Vec::new();
        }
        let needs: Vec<String> =
            members.iter().filter_map(|name| self.prerequisites(name, steps)).collect();
        let of_group = |m: &&Manifest| {
            self.instance.topology.machine(&m.machine).is_some_and(|m| m.group == group)
        };
        let manifests = self.whole.iter().filter(of_group).cloned().collect();
        let action = GaleraStart(Arc::clone(self.instance), manifests);
        let id = "start:mariadb".to_owned();
        steps.push(Step::new(&id, "find or begin the MariaDB cluster", action).after(needs));
        vec![id]
    }

    /// Between two members that serve: the cluster is whole again. Where the cluster has no part of its
    /// own, a machine's own probe has seen to that.
    fn gate(&self, group: Group, done: &[String], steps: &mut Vec<Step>) -> Option<String> {
        if done.is_empty() {
            return None;
        }
        let action = self.whole(group)?;
        let id = format!("gate:{group}-{}", steps.len());
        let step = boxed(&id, format!("wait until the {group} cluster is whole"), action);
        steps.push(step.after(done.to_vec()));
        Some(id)
    }

    fn whole(&self, group: Group) -> Option<Box<dyn Action>> {
        let part = self.parts.iter().find(|part| part.group == group)?.clone();
        let instance = Arc::clone(self.instance);
        Some(if self.layout(group) == Some(Layout::Replica) {
            Box::new(EnsureReplication(instance))
        } else {
            Box::new(ConvergeCluster(instance, part))
        })
    }
}

fn boxed(id: &str, title: String, action: Box<dyn Action>) -> Step {
    Step { id: id.to_owned(), machine: None, title, needs: Vec::new(), action }
}
