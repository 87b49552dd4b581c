//! The Redis servers of all machines as one cluster: who is in it, who has which slots, who copies
//! whom. One member talks to all; what to do next is decided in [`decide`], which is pure.

mod decide;
mod view;

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Failure, Result};
use crate::machine::Machine;
use crate::net::resp::Client;
use andamio_manifest::RedisCluster;
use decide::{Next, decide};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use view::Seen;

/// Members tell each other by gossip within a second or two; a copy of much data takes longer.
const AGREE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(100);
/// A machine that is gone drops packets; the others should not wait for it.
const CONNECT: Duration = Duration::from_secs(2);

impl Resource for RedisCluster {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let mut diff = Diff::default();
        let seen = look(self).await;
        if seen.is_empty() && !machine.known {
            diff.plus("cluster");
            return Ok(diff);
        }
        for line in decide(&self.members, &seen).open {
            diff.plus(line);
        }
        Ok(diff)
    }

    async fn make(&self, _: &mut Machine, say: &Say) -> Result<String> {
        let begin = Instant::now();
        let mut told = String::new();
        let mut refused = String::new();
        loop {
            let Next { open, commands } = decide(&self.members, &look(self).await);
            if open.is_empty() {
                return Ok(String::new());
            }
            if begin.elapsed() > AGREE {
                return Err(Failure::new(format!("{} {refused}", open.join("; "))));
            }
            let line = open.join("; ");
            if line != told {
                say.say(&line);
                told = line;
            }
            for command in commands {
                let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
                let done = match connect(self, &command.at).await {
                    Ok(mut client) => client.call(&words).await.map(drop),
                    Err(failure) => Err(failure),
                };
                // Members may not have heard of each other yet; the next look shows what is left.
                if let Err(failure) = done {
                    refused = format!("({}: {failure})", command.at);
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn doing(&self) -> String {
        "the cluster of all Redis servers".to_owned()
    }
}

async fn connect(declared: &RedisCluster, address: &str) -> Result<Client> {
    match tokio::time::timeout(CONNECT, Client::connect(address, &declared.password.text)).await {
        Ok(client) => client,
        Err(_) => Err(Failure::new(format!("{address} does not answer"))),
    }
}

/// What every member that answers says of itself and the others.
async fn look(declared: &RedisCluster) -> BTreeMap<String, Seen> {
    let each = declared.members.iter().map(|member| async {
        let mut client = connect(declared, &member.address).await.ok()?;
        let id = client.call(&["CLUSTER", "MYID"]).await.ok()?.text();
        let nodes = client.call(&["CLUSTER", "NODES"]).await.ok()?.text();
        let info = client.call(&["INFO", "replication"]).await.ok()?.text();
        Some((member.address.clone(), Seen::new(id, &nodes, &info)))
    });
    join_all(each).await.into_iter().flatten().collect()
}
