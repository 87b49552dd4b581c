//! From what the members say to the next commands. Pure, and safe to repeat: each round does only what
//! the rounds before have made possible, and a cluster that is as planned has nothing left.

use super::view::{Node, Seen};
use andamio_manifest::RedisMember;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Next {
    /// What is not as planned, for people.
    pub(super) open: Vec<String>,
    pub(super) commands: Vec<Command>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// `host:port`.
    pub(super) at: String,
    pub(super) words: Vec<String>,
}

type View = BTreeMap<String, Seen>;

pub(super) fn decide(members: &[RedisMember], seen: &View) -> Next {
    let mut next = Next::default();
    for member in members.iter().filter(|m| !seen.contains_key(&m.address)) {
        next.open.push(format!("{} does not answer", member.address));
    }
    // Whoever knows most of the cluster speaks for it; the first of the plan where all are new.
    let Some(anchor) = members
        .iter()
        .rev()
        .filter_map(|m| Some((m, seen.get(&m.address)?)))
        .max_by_key(|(_, view)| (view.assigned(), view.nodes.len()))
    else {
        return next;
    };
    let cluster = Cluster { members, seen, anchor: anchor.1, at: &anchor.0.address };
    // In this order, and one kind at a time: each needs what the one before has done.
    for step in [
        Cluster::take_over,
        Cluster::forget,
        Cluster::meet,
        Cluster::hear,
        Cluster::give_slots,
        Cluster::copy,
        Cluster::hand_back,
    ] {
        let before = next.open.len();
        step(&cluster, &mut next);
        if next.open.len() > before {
            break;
        }
    }
    next
}

struct Cluster<'a> {
    members: &'a [RedisMember],
    seen: &'a View,
    anchor: &'a Seen,
    at: &'a str,
}

impl Cluster<'_> {
    /// Names that stand for nobody any more: another server answers at their address, or they have
    /// none in the plan and are away.
    fn dead(&self) -> BTreeMap<&str, &Node> {
        let all = self.seen.values().flat_map(|view| &view.nodes);
        all.filter(|node| !node.handshake)
            .filter(|node| match self.seen.get(&node.address) {
                Some(there) => there.id != node.id,
                None => {
                    let planned = self.members.iter().any(|m| m.address == node.address);
                    !planned && node.failed
                }
            })
            .map(|node| (node.id.as_str(), node))
            .collect()
    }

    /// The disk of a master is gone before another took its place: two machines have no majority that
    /// could elect one, so a copy that is left takes the slots without asking.
    fn take_over(&self, next: &mut Next) {
        for (id, _) in self.dead() {
            let owns = self.anchor.node(id).is_some_and(|node| !node.slots.is_empty());
            let mut copies = self.anchor.nodes.iter().filter(|n| n.copies.as_deref() == Some(id));
            let alive = |n: &&Node| self.seen.get(&n.address).is_some_and(|s| s.id == n.id);
            if let (true, Some(copy)) = (owns, copies.find(alive)) {
                next.open.push(format!("{} takes the slots of its lost master", copy.address));
                next.commands.push(command(&copy.address, &["CLUSTER", "FAILOVER", "TAKEOVER"]));
            }
        }
    }

    fn forget(&self, next: &mut Next) {
        for (id, node) in self.dead() {
            next.open.push(format!("{} is gone with its disk: forget {}", node.address, short(id)));
            for (address, view) in self.seen {
                if view.id != id && view.node(id).is_some() {
                    next.commands.push(command(address, &["CLUSTER", "FORGET", id]));
                }
            }
        }
    }

    fn meet(&self, next: &mut Next) {
        for member in self.members {
            let Some(view) = self.seen.get(&member.address) else { continue };
            if self.anchor.node(&view.id).is_some() {
                continue;
            }
            next.open.push(format!("{} is not in the cluster", member.address));
            if self.anchor.nodes.iter().all(|node| node.address != member.address)
                && let Some((host, port)) = member.address.rsplit_once(':')
            {
                next.commands.push(command(self.at, &["CLUSTER", "MEET", host, port]));
            }
        }
    }

    /// Waits until everybody has heard of everybody.
    fn hear(&self, next: &mut Next) {
        let ids: BTreeSet<&str> = self.seen.values().map(|view| view.id.as_str()).collect();
        for (address, view) in self.seen {
            if ids.iter().any(|id| view.node(id).is_none()) {
                next.open.push(format!("{address} does not know all others yet"));
            }
        }
    }

    fn give_slots(&self, next: &mut Next) {
        for (master, copy) in self.pairs() {
            let Some(range) = master.slots else { continue };
            let free = free(range, &self.anchor.nodes);
            if free.is_empty() {
                continue;
            }
            next.open
                .push(format!("nobody has slots {}-{} of {}", range.0, range.1, master.address));
            let both = [Some(master), copy];
            let taker = both.into_iter().flatten().find(|m| self.is_master(&m.address));
            let Some(taker) = taker else { continue };
            let mut words = vec!["CLUSTER".to_owned(), "ADDSLOTSRANGE".to_owned()];
            for (first, last) in free {
                words.extend([first.to_string(), last.to_string()]);
            }
            next.commands.push(Command { at: taker.address.clone(), words });
        }
    }

    fn copy(&self, next: &mut Next) {
        for (master, copy) in self.pairs() {
            let Some(copy) = copy else { continue };
            let (Some(m), Some(c)) = (self.seen.get(&master.address), self.seen.get(&copy.address))
            else {
                continue;
            };
            let (owner, other, at) = match (self.owns(&m.id), self.owns(&c.id)) {
                (true, false) => (m, c, copy),
                (false, true) => (c, m, master),
                _ => continue,
            };
            let copies = other.node(&other.id).and_then(|node| node.copies.as_deref());
            if copies != Some(owner.id.as_str()) {
                next.open.push(format!("{} does not copy its pair", at.address));
                next.commands.push(command(&at.address, &["CLUSTER", "REPLICATE", &owner.id]));
            } else if !other.linked {
                next.open.push(format!("{} does not have all data of its pair yet", at.address));
            }
        }
    }

    /// After a failover one machine can have two masters; its loss would then take the majority with
    /// it. One at a time, and only to a copy that is complete.
    fn hand_back(&self, next: &mut Next) {
        for (master, _) in self.pairs() {
            let Some(view) = self.seen.get(&master.address) else { continue };
            if !self.owns(&view.id) && view.linked {
                next.open.push(format!("{} is a copy and was planned as a master", master.address));
                if next.commands.is_empty() {
                    next.commands.push(command(&master.address, &["CLUSTER", "FAILOVER"]));
                }
            }
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (&RedisMember, Option<&RedisMember>)> {
        self.members.iter().filter(|m| m.copy_of.is_none()).map(|master| {
            let of = |m: &&RedisMember| m.copy_of.as_ref() == Some(&master.address);
            (master, self.members.iter().find(of))
        })
    }

    fn owns(&self, id: &str) -> bool {
        self.anchor.node(id).is_some_and(|node| !node.slots.is_empty())
    }

    fn is_master(&self, address: &str) -> bool {
        let view = self.seen.get(address);
        view.and_then(|view| view.node(&view.id)).is_some_and(|node| node.master)
    }
}

/// The parts of a range that no node has.
fn free(range: (u16, u16), nodes: &[Node]) -> Vec<(u16, u16)> {
    let taken = |slot: u16| {
        nodes.iter().flat_map(|node| &node.slots).any(|(a, b)| (*a..=*b).contains(&slot))
    };
    let mut parts: Vec<(u16, u16)> = Vec::new();
    for slot in (range.0..=range.1).filter(|slot| !taken(*slot)) {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == slot => *last = slot,
            _ => parts.push((slot, slot)),
        }
    }
    parts
}

fn command(at: &str, words: &[&str]) -> Command {
    Command { at: at.to_owned(), words: words.iter().map(|&word| word.to_owned()).collect() }
}

fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests;
