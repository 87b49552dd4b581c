//! `db`: the MariaDB client on the server that takes the writes now.

use crate::command::{self, Job, Work};
use crate::{Failure, Instance, Kind};
use andamio_converge::{galera, mariadb_connections, replica};
use andamio_manifest::{GaleraState, ReplicaState};
use andamio_provision::{Found, MachineState};
use andamio_remote::quote;
use andamio_spec::Group;
use andamio_spec::model::Layout;
use andamio_spec::topology::Machine;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// A server that is asked says what it is within milliseconds.
const ASK: Duration = Duration::from_secs(5);

/// A cluster settles within four seconds of a loss.
const AGREEMENT: Duration = Duration::from_secs(6);
const AGAIN: Duration = Duration::from_millis(500);

/// What a server is, as `db` needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// It takes writes; so many connections of the application are open there.
    Writes(u64),
    /// It answers, and takes none.
    Reads,
    /// Why it cannot be asked.
    Silent(&'static str),
}

#[derive(Debug, PartialEq, Eq)]
struct Choice<'a> {
    name: &'a str,
    writes: bool,
}

/// Machine and shell command of `db ENV`: the MariaDB client as root over the server's own socket.
///
/// # Errors
/// When the environment has no database, or no server of it runs.
pub async fn job(instance: &Instance, sql: Option<&str>) -> Result<Job, Failure> {
    let machines: Vec<_> = instance.topology.group(Group::Mariadb).collect();
    let (name, writes) = match machines.as_slice() {
        [] => {
            return Err(Failure::new(
                Kind::Refused,
                "database",
                format!("{} has no MariaDB", instance.name()),
                "declare `mariadb` in the environment",
            ));
        }
        [only] => (only.name.clone(), true),
        several => {
            let begin = Instant::now();
            let states = loop {
                let states = ask(instance, several).await;
                // Members that have just lost one agree on who is left within seconds.
                let agree = several.iter().all(|m| m.layout == Layout::Galera);
                if choose(&states).is_some() || !agree || begin.elapsed() > AGREEMENT {
                    break states;
                }
                sleep(AGAIN).await;
            };
            let choice = choose(&states).ok_or_else(|| nobody(instance, &states))?;
            (choice.name.to_owned(), choice.writes)
        }
    };
    let first = machines.first().is_some_and(|m| m.name == name);
    let note = match (writes, first) {
        (true, true) => None,
        (true, false) => Some(format!("{name} takes the writes")),
        (false, _) => Some(format!("no server takes writes now: {name} is a copy, for reading")),
    };
    let machine = command::machines(instance, &name, false)?.into_iter().next();
    let machine = machine.ok_or_else(|| nobody(instance, &[]))?;
    let database = instance.request.spec.project.name.as_str();
    Ok(Job { machine, work: Work::Line(client(database, sql, writes)), note })
}

async fn ask<'a>(instance: &Instance, machines: &[&'a Machine]) -> Vec<(&'a str, State)> {
    let inventory = instance.inventory();
    let asked = machines.iter().map(|machine| {
        let found = inventory.get(&machine.name);
        let running = found.filter(|found| found.state == MachineState::Running);
        async move {
            let state = match running {
                None => State::Silent("does not run"),
                Some(found) => timeout(ASK, look(instance, found, machine.layout))
                    .await
                    .unwrap_or(State::Silent("does not answer")),
            };
            (machine.name.as_str(), state)
        }
    });
    join_all(asked).await
}

fn client(database: &str, sql: Option<&str>, writes: bool) -> String {
    // A person thinks longer than an application between two statements. Root is one whom `read_only` does not hold.
    let patient = if writes {
        "--init-command=SET SESSION idle_write_transaction_timeout = 0"
    } else {
        "--init-command=SET SESSION TRANSACTION READ ONLY"
    };
    let mut argv = vec!["mariadb", "--default-character-set=utf8mb4", patient];
    if let Some(sql) = sql {
        // Rows go out as they come, whatever their number.
        argv.extend(["--batch", "--quick", "-e", sql]);
    }
    argv.push(database);
    format!("exec {}", quote(&argv))
}

async fn look(instance: &Instance, found: &Found, layout: Layout) -> State {
    let nodes = &instance.nodes;
    let writes = match layout {
        Layout::Galera => {
            nodes.task::<GaleraState>(found, &galera::look()).await.map(|s| s.primary)
        }
        _ => nodes.task::<ReplicaState>(found, &replica::look()).await.map(|s| s.writable),
    };
    match writes {
        Err(_) => State::Silent("has no server that answers"),
        // A Galera member without a majority takes nothing, not even reads.
        Ok(false) if layout == Layout::Galera => State::Silent("is in no cluster"),
        Ok(false) => State::Reads,
        Ok(true) => State::Writes(command::count(instance, found, &mariadb_connections()).await),
    }
}

/// Who takes the writes; else who can be read. The first of equals.
fn choose<'a>(states: &[(&'a str, State)]) -> Option<Choice<'a>> {
    let writer = states
        .iter()
        .rev()
        .filter_map(|(name, state)| match state {
            State::Writes(connections) => Some((*name, *connections)),
            _ => None,
        })
        .max_by_key(|(_, connections)| *connections);
    if let Some((name, _)) = writer {
        return Some(Choice { name, writes: true });
    }
    let reader = states.iter().find(|(_, state)| *state == State::Reads);
    reader.map(|(name, _)| Choice { name, writes: false })
}

fn nobody(instance: &Instance, states: &[(&str, State)]) -> Failure {
    let says: Vec<String> = states
        .iter()
        .map(|(name, state)| match state {
            State::Silent(why) => format!("{name} {why}"),
            State::Reads | State::Writes(_) => format!("{name} answers"),
        })
        .collect();
    let message =
        format!("no MariaDB server of {} takes writes: {}", instance.name(), says.join(", "));
    let help = format!("bring it back with `andamio up {}`", instance.topology.env);
    Failure::new(Kind::Failed, "database", message, &help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_the_writes_is_asked_and_not_assumed() {
        let silent = || State::Silent("does not run");
        let of = |states: &[State]| {
            let names = ["m1", "m2", "m3"];
            let states: Vec<_> = names.into_iter().zip(states.iter().cloned()).collect();
            choose(&states).map(|c| (c.name.to_owned(), c.writes))
        };
        let is = |name: &str, writes| Some((name.to_owned(), writes));
        assert_eq!(of(&[State::Writes(0), State::Reads]), is("m1", true));
        assert_eq!(of(&[State::Reads, State::Writes(0)]), is("m2", true));
        assert_eq!(of(&[silent(), State::Reads]), is("m2", false));
        assert_eq!(of(&[silent(), State::Writes(0), State::Writes(9)]), is("m3", true));
        assert_eq!(of(&[State::Writes(0), State::Writes(0)]), is("m1", true));
        assert_eq!(of(&[silent(), silent()]), None);
    }

    #[test]
    fn a_copy_is_not_written_to() {
        let reading = client("shop", Some("SELECT 1"), false);
        assert!(reading.contains("SET SESSION TRANSACTION READ ONLY"), "{reading}");
        assert!(reading.ends_with("--batch --quick -e 'SELECT 1' shop"), "{reading}");
    }
}
