//! How the members of a Galera cluster come together. Pure: from what all of them say to who begins.

use super::SOCKET;
use andamio_manifest::{GaleraState, Task};

/// What has to happen before members are started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A cluster is live: whoever is not in it joins by being started.
    Join,
    /// All of them were in one cluster and are starting: they find each other.
    Wait,
    /// Nobody is in a cluster. Stop all, and look again with their last transactions.
    Stop,
}

#[must_use]
pub fn look() -> Task {
    Task::GaleraLook { socket: SOCKET.to_owned() }
}

#[must_use]
pub fn stop() -> Task {
    Task::GaleraStop { socket: SOCKET.to_owned() }
}

/// `None` stands for a member that could not be asked.
///
/// # Errors
/// When somebody who was not asked could have the cluster: making another would split it.
pub fn decide(members: &[(String, Option<GaleraState>)]) -> Result<Decision, String> {
    let states = || members.iter().filter_map(|(_, state)| state.as_ref());
    if states().any(|state| state.primary) {
        return Ok(Decision::Join);
    }
    let silent: Vec<&str> =
        members.iter().filter(|(_, s)| s.is_none()).map(|(name, _)| name.as_str()).collect();
    if !silent.is_empty() {
        return Err(format!(
            "no member is in a cluster, and {} cannot be asked: a second cluster could be made \
             beside its own",
            silent.join(", ")
        ));
    }
    let together = states().all(|s| s.remembers && matches!(&*s.unit, "activating" | "active"));
    Ok(if together { Decision::Wait } else { Decision::Stop })
}

/// Who begins: the one with the last transaction; of new ones the first, but one that was used before
/// the others, whose data there may be.
///
/// # Errors
/// When members have data of different clusters: somebody has to say whose counts.
pub fn first(members: &[(String, GaleraState)]) -> Result<&str, String> {
    let mut clusters: Vec<&str> =
        members.iter().map(|(_, s)| s.cluster.as_str()).filter(|c| !c.is_empty()).collect();
    clusters.sort_unstable();
    clusters.dedup();
    if clusters.len() > 1 {
        let list: Vec<String> =
            members.iter().map(|(n, s)| format!("{n} {}:{}", s.cluster, s.position)).collect();
        return Err(format!("the members have data of different clusters: {}", list.join(", ")));
    }
    let rank = |state: &GaleraState| (!state.cluster.is_empty(), state.position, state.used);
    let mut best: Option<&(String, GaleraState)> = None;
    for member in members {
        if best.is_none_or(|(_, state)| rank(&member.1) > rank(state)) {
            best = Some(member);
        }
    }
    best.map(|(name, _)| name.as_str()).ok_or_else(|| "there is no member".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(cluster: &str, position: i64, unit: &str) -> GaleraState {
        let (cluster, unit) = (cluster.to_owned(), unit.to_owned());
        GaleraState { cluster, position, unit, ..GaleraState::default() }
    }

    fn named(states: &[GaleraState]) -> Vec<(String, GaleraState)> {
        states.iter().enumerate().map(|(n, s)| (format!("m{}", n + 1), s.clone())).collect()
    }

    fn asked(states: &[Option<GaleraState>]) -> Result<Decision, String> {
        let members: Vec<_> =
            states.iter().enumerate().map(|(n, s)| (format!("m{}", n + 1), s.clone())).collect();
        decide(&members)
    }

    #[test]
    fn a_live_cluster_is_joined_whoever_is_silent() {
        let live = GaleraState { primary: true, ..member("x", -1, "active") };
        assert_eq!(asked(&[None, Some(live), None]), Ok(Decision::Join));
    }

    #[test]
    fn no_second_cluster_beside_a_silent_member() {
        let down = Some(member("x", 9, "inactive"));
        assert!(asked(&[down.clone(), None, down.clone()]).unwrap_err().contains("m2 cannot"));
        assert_eq!(asked(&[down.clone(), down.clone(), down]), Ok(Decision::Stop));
        assert_eq!(asked(&[Some(member("", -1, "inactive"))]), Ok(Decision::Stop));
    }

    #[test]
    fn all_that_remember_each_other_are_left_to_it() {
        let state = GaleraState { remembers: true, ..member("x", -1, "activating") };
        assert_eq!(asked(&[Some(state.clone()), Some(state.clone())]), Ok(Decision::Wait));
        let empty = member("", -1, "activating");
        assert_eq!(asked(&[Some(state), Some(empty)]), Ok(Decision::Stop));
    }

    #[test]
    fn the_newest_begins() {
        let newest = named(&[member("x", 7, ""), member("x", 9, ""), member("x", 9, "")]);
        assert_eq!(first(&newest), Ok("m2"));
        let new = named(&[member("", -1, ""), member("", -1, "")]);
        assert_eq!(first(&new), Ok("m1"));
        let one_empty = named(&[member("", -1, ""), member("x", 0, "")]);
        assert_eq!(first(&one_empty), Ok("m2"));
        let used = GaleraState { used: true, ..member("", -1, "") };
        assert_eq!(first(&named(&[member("", -1, ""), used])), Ok("m2"));
        assert!(first(&named(&[member("x", 7, ""), member("y", 9, "")])).is_err());
    }
}
