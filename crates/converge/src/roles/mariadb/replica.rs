//! Who of a replicating pair leads, and how the other gets its data. Pure.

use super::{REPLICATION, REPLICATION_ACCOUNT, SOCKET};
use crate::inputs::Inputs;
use andamio_manifest::{ReplicaState, Task, Text};
use andamio_spec::topology::ports;
use std::net::Ipv4Addr;

/// What has to be done, in this order. Names are of machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// It takes writes.
    Lead(String),
    /// `replica` gets all data of `source`.
    Copy { replica: String, source: String },
    /// `replica` goes on from its own position.
    Follow { replica: String, source: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub address: Ipv4Addr,
    pub state: ReplicaState,
}

/// # Errors
/// When two have data and nothing says whose counts.
pub fn decide(members: &[Member]) -> Result<Vec<Move>, String> {
    let leader = leader(members)?;
    let mut moves = Vec::new();
    if !leader.state.writable || !leader.state.follows.is_empty() {
        moves.push(Move::Lead(leader.name.clone()));
    }
    for member in members.iter().filter(|m| m.name != leader.name) {
        let (replica, source) = (member.name.clone(), leader.name.clone());
        let state = &member.state;
        let follows = state.follows == leader.address.to_string();
        if follows && state.running && !state.writable {
            continue;
        }
        // An empty one of a leader with data: the leader's log no longer begins at the beginning.
        let empty = state.position.is_empty() && !leader.state.position.is_empty();
        if empty {
            moves.push(Move::Copy { replica: replica.clone(), source: source.clone() });
        }
        moves.push(Move::Follow { replica, source });
    }
    Ok(moves)
}

fn leader(members: &[Member]) -> Result<&Member, String> {
    let mut leading = members.iter().filter(|m| m.state.writable && m.state.follows.is_empty());
    match (leading.next(), leading.next()) {
        (Some(one), None) => return Ok(one),
        (Some(one), Some(other)) => {
            return Err(format!(
                "both {} and {} take writes: one of them has to be told to stop, and which is a \
                 person's decision",
                one.name, other.name
            ));
        }
        (None, _) => {}
    }
    // Nobody leads: new servers, or the leader's disk is gone. Then a copy has all that was
    // acknowledged.
    let mut with_data = members.iter().filter(|m| !m.state.position.is_empty());
    match (with_data.next(), with_data.next()) {
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => Err(format!(
            "{} and {} have data and neither leads: which counts is a person's decision",
            one.name, other.name
        )),
        (None, _) => members.first().ok_or_else(|| "there is no server".to_owned()),
    }
}

#[must_use]
pub fn look() -> Task {
    Task::ReplicaLook { socket: SOCKET.to_owned() }
}

/// The tasks of one move, each with its machine; those of one move run at the same time.
#[must_use]
pub fn tasks(inputs: &Inputs<'_>, step: &Move) -> Vec<(String, Task)> {
    let socket = || SOCKET.to_owned();
    let address = |name: &str| {
        inputs.topology.machine(name).map_or_else(String::new, |m| m.address.to_string())
    };
    match step {
        Move::Lead(name) => vec![(name.clone(), Task::ReplicaLead { socket: socket() })],
        Move::Copy { replica, source } => {
            let to = format!("{}:{}", address(replica), ports::MARIADB_COPY);
            let from = address(source);
            vec![
                (replica.clone(), Task::CopyReceive { listen: to.clone(), from, socket: socket() }),
                (source.clone(), Task::CopySend { to, socket: socket() }),
            ]
        }
        Move::Follow { replica, source } => {
            let password = Text { text: inputs.secret(REPLICATION).to_owned(), sensitive: true };
            let task = Task::ReplicaFollow {
                socket: socket(),
                source: address(source),
                port: ports::MARIADB,
                account: REPLICATION_ACCOUNT.to_owned(),
                password,
            };
            vec![(replica.clone(), task)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u8, state: ReplicaState) -> Member {
        Member { name: format!("m{n}"), address: Ipv4Addr::new(10, 0, 0, n), state }
    }

    fn state(writable: bool, follows: &str, position: &str) -> ReplicaState {
        ReplicaState {
            writable,
            follows: follows.to_owned(),
            running: !follows.is_empty(),
            position: position.to_owned(),
            error: String::new(),
        }
    }

    fn moves(a: ReplicaState, b: ReplicaState) -> Result<Vec<Move>, String> {
        decide(&[member(1, a), member(2, b)])
    }

    fn lead(name: &str) -> Move {
        Move::Lead(name.to_owned())
    }

    fn follow(replica: &str, source: &str) -> Move {
        Move::Follow { replica: replica.to_owned(), source: source.to_owned() }
    }

    fn copy(replica: &str, source: &str) -> Move {
        Move::Copy { replica: replica.to_owned(), source: source.to_owned() }
    }

    #[test]
    fn new_ones() {
        let new = || state(false, "", "");
        assert_eq!(moves(new(), new()), Ok(vec![lead("m1"), follow("m2", "m1")]));
    }

    #[test]
    fn a_healthy_pair_in_either_direction() {
        assert_eq!(moves(state(true, "", "1-1-9"), state(false, "10.0.0.1", "1-1-9")), Ok(vec![]));
        assert_eq!(moves(state(false, "10.0.0.2", "1-1-9"), state(true, "", "1-1-9")), Ok(vec![]));
    }

    #[test]
    fn an_empty_replica_is_copied() {
        let expected = vec![copy("m2", "m1"), follow("m2", "m1")];
        assert_eq!(moves(state(true, "", "1-1-9"), state(false, "", "")), Ok(expected));
    }

    #[test]
    fn an_empty_primary_follows_its_replica() {
        let replica = ReplicaState { running: false, ..state(false, "10.0.0.1", "1-1-9") };
        let expected = vec![lead("m2"), copy("m1", "m2"), follow("m1", "m2")];
        assert_eq!(moves(state(false, "", ""), replica), Ok(expected));
    }

    #[test]
    fn a_stopped_replica_goes_on() {
        let replica = ReplicaState { running: false, ..state(false, "10.0.0.1", "1-1-5") };
        assert_eq!(moves(state(true, "", "1-1-9"), replica), Ok(vec![follow("m2", "m1")]));
    }

    #[test]
    fn what_only_a_person_can_decide() {
        assert!(moves(state(true, "", "1-1-9"), state(true, "", "1-2-9")).is_err());
        assert!(moves(state(false, "", "1-1-9"), state(false, "", "1-2-9")).is_err());
    }
}
