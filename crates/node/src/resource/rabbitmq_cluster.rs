//! The members of a RabbitMQ cluster, and a copy of every quorum queue on each of them.
//!
//! Members find each other by their own configuration. What is left is what that does not do: to drop
//! those that are no longer declared, and to give a member that came back empty its copies.

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Context, Failure, Result};
use crate::machine::Machine;
use crate::net::http::{self, Request};
use crate::process;
use andamio_manifest::RabbitmqCluster;
use serde_json::Value;
use std::time::{Duration, Instant};

const ANSWER: Duration = Duration::from_secs(20);
/// The overview that is asked is refreshed every five seconds.
const AGREE: Duration = Duration::from_secs(60);
const COMMAND: Duration = Duration::from_secs(60);

#[derive(Debug, Default, PartialEq, Eq)]
struct Work {
    away: Vec<String>,
    undeclared: Vec<String>,
    /// Queue, member without a copy.
    thin: Vec<(String, String)>,
}

impl Resource for RabbitmqCluster {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let mut diff = Diff::default();
        let work = match look(self).await {
            Err(failure) if !machine.known => {
                diff.plus("cluster");
                diff.message = failure.to_string();
                return Ok(diff);
            }
            work => work?,
        };
        work.undeclared.iter().for_each(|member| diff.minus(member));
        work.away.iter().for_each(|member| diff.plus(format!("{member} in the cluster")));
        for (queue, member) in &work.thin {
            diff.plus(format!("copy of queue {queue} on {member}"));
        }
        Ok(diff)
    }

    async fn make(&self, _: &mut Machine, say: &Say) -> Result<String> {
        let begin = Instant::now();
        let mut grown: Vec<String> = Vec::new();
        loop {
            let work = look(self).await?;
            if work == Work::default() {
                return Ok(String::new());
            }
            if begin.elapsed() > AGREE {
                return Err(Failure::new(format!("after {} s: {work:?}", AGREE.as_secs())));
            }
            for member in &work.undeclared {
                say.say(format!("forgetting {member}"));
                let argv = ["rabbitmqctl", "--quiet", "forget_cluster_node", member];
                process::run(&argv, "", COMMAND).await?;
            }
            for (_, member) in &work.thin {
                if work.away.contains(member) || grown.contains(member) {
                    continue;
                }
                say.say(format!("giving {member} its copies"));
                let argv = ["rabbitmq-queues", "--quiet", "grow", member, "all"];
                process::run(&argv, "", COMMAND).await?;
                grown.push(member.clone());
            }
            if !work.away.is_empty() {
                say.waits_for(work.away.join(", "));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    fn doing(&self) -> String {
        "the cluster of all RabbitMQ nodes".to_owned()
    }
}

async fn look(declared: &RabbitmqCluster) -> Result<Work> {
    let nodes = list(declared, "/api/nodes?columns=name,running").await?;
    let queues = list(declared, "/api/queues?columns=name,type,members").await?;
    Ok(compare(declared, &nodes, &queues))
}

fn compare(declared: &RabbitmqCluster, nodes: &[Value], queues: &[Value]) -> Work {
    let name = |node: &Value| node["name"].as_str().unwrap_or_default().to_owned();
    let running = |node: &&Value| node["running"].as_bool() != Some(false);
    let up: Vec<String> = nodes.iter().filter(running).map(name).collect();
    let mut work = Work {
        away: declared.members.iter().filter(|m| !up.contains(m)).cloned().collect(),
        undeclared: nodes.iter().filter(|n| !running(n)).map(name).collect(),
        thin: Vec::new(),
    };
    work.undeclared.retain(|member| !declared.members.contains(member));
    for queue in queues.iter().filter(|queue| queue["type"] == "quorum") {
        // A queue that is being made does not say who has it yet.
        let Some(members) = queue["members"].as_array() else { continue };
        for member in declared.members.iter().filter(|m| !members.iter().any(|has| has == *m)) {
            work.thin.push((name(queue), member.clone()));
        }
    }
    work
}

async fn list(declared: &RabbitmqCluster, path: &str) -> Result<Vec<Value>> {
    let request = Request {
        method: "GET",
        address: &declared.management,
        path,
        login: Some((&declared.admin, &declared.admin_password.text)),
        body: "",
    };
    let answer = http::send(&request, ANSWER).await?;
    if answer.status != 200 {
        let status = answer.status;
        return Err(Failure::new(format!("rabbitmq, {path}: {status} {}", answer.body.trim())));
    }
    serde_json::from_str(&answer.body).during(format!("reading rabbitmq's {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use andamio_manifest::Text;
    use serde_json::json;

    #[test]
    fn compares_members_and_copies() {
        let declared = RabbitmqCluster {
            management: String::new(),
            admin: String::new(),
            admin_password: Text { text: String::new(), sensitive: true },
            members: vec!["r@a".into(), "r@b".into()],
        };
        let nodes = [
            json!({"name": "r@a", "running": true}),
            json!({"name": "r@b", "running": false}),
            json!({"name": "r@old", "running": false}),
        ];
        let queues = [
            json!({"name": "sign", "type": "quorum", "members": ["r@a"]}),
            json!({"name": "new", "type": "quorum"}),
            json!({"name": "plain", "type": "classic"}),
        ];
        let work = compare(&declared, &nodes, &queues);
        assert_eq!(work.away, ["r@b"]);
        assert_eq!(work.undeclared, ["r@old"]);
        assert_eq!(work.thin, [("sign".to_owned(), "r@b".to_owned())]);
    }
}
