//! The local Redis server: parameters as they are live, and the slots of a new cluster.
//!
//! What differs is set live; the file is the manifest's own, so nothing is rewritten by the server.

mod value;

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Context, Failure, Result};
use crate::machine::Machine;
use crate::net::resp::{Client, Value};
use andamio_manifest::Redis;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const SLOTS: usize = 16384;
/// The members of a new cluster tell each other their slots within a second or two.
const AGREE: Duration = Duration::from_secs(30);

impl Resource for Redis {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let mut diff = Diff::default();
        let mut client = match connect(self).await {
            Err(failure) if machine.role_comes_later() => {
                diff.remark("its live parameters are compared when it runs");
                diff.message = failure.to_string();
                return Ok(diff);
            }
            client => client?,
        };
        for (name, old, new) in differing(self, &mut client).await? {
            if value::secret(name) {
                diff.remark(format!("{name} differs (secret)"));
            } else {
                diff.minus(format!("{name} {old}"));
                diff.plus(format!("{name} {new}"));
            }
        }
        for (first, last) in unassigned(self, &mut client).await? {
            diff.plus(format!("slots {first}-{last}"));
        }
        Ok(diff)
    }

    async fn make(&self, _: &mut Machine, say: &Say) -> Result<String> {
        let mut client = connect(self).await?;
        let differing: Vec<(String, String)> = differing(self, &mut client)
            .await?
            .into_iter()
            .map(|(name, _, new)| (name.to_owned(), new.to_owned()))
            .collect();
        for (name, new) in differing {
            let set = client.call(&["CONFIG", "SET", &name, &new]).await;
            set.during(format!("setting {name} (some take effect only at a start)"))?;
        }
        let slots = unassigned(self, &mut client).await?;
        if slots.is_empty() {
            return Ok(String::new());
        }
        let mut command = vec!["CLUSTER".to_owned(), "ADDSLOTSRANGE".to_owned()];
        for (first, last) in slots {
            command.extend([first.to_string(), last.to_string()]);
        }
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        client.call(&command).await?;
        say.waits_for("cluster_state:ok");
        agree(&mut client).await
    }

    fn doing(&self) -> String {
        format!("redis on port {}", self.port)
    }
}

async fn connect(declared: &Redis) -> Result<Client> {
    Client::connect(&format!("{}:{}", declared.address, declared.port), &declared.password.text)
        .await
}

/// Parameters that are not live as declared: name, live value, declared value.
async fn differing<'a>(
    declared: &'a Redis,
    client: &mut Client,
) -> Result<Vec<(&'a str, String, &'a str)>> {
    let mut command = vec!["CONFIG", "GET"];
    command.extend(declared.config.keys().map(String::as_str));
    if declared.config.is_empty() {
        return Ok(Vec::new());
    }
    let answer = client.call(&command).await?;
    let items = answer.list().chunks(2);
    let live: BTreeMap<String, String> = items
        .filter_map(|pair| Some((pair.first()?.text().to_lowercase(), pair.get(1)?.text())))
        .collect();
    let mut differing = Vec::new();
    for (name, wanted) in &declared.config {
        let old = live
            .get(&name.to_lowercase())
            .ok_or_else(|| Failure::new(format!("this Redis has no parameter {name}")))?;
        if !value::same(old, wanted) {
            differing.push((name.as_str(), old.clone(), wanted.as_str()));
        }
    }
    Ok(differing)
}

/// Declared slots that this server has to take: it is a master without slots, the cluster was
/// never complete, and nobody has them. The other members of a new cluster take theirs at the
/// same moment, so that the cluster as a whole may no longer be empty.
async fn unassigned(declared: &Redis, client: &mut Client) -> Result<Vec<(u16, u16)>> {
    if declared.slots.is_empty() {
        return Ok(Vec::new());
    }
    let info = cluster_info(client).await?;
    if number(&info, "cluster_slots_assigned") >= SLOTS {
        return Ok(Vec::new());
    }
    let nodes = client.call(&["CLUSTER", "NODES"]).await?.text();
    let myself = nodes.lines().find(|line| line.contains("myself")).unwrap_or_default();
    let fields: Vec<&str> = myself.split_whitespace().collect();
    let master = fields.get(2).is_some_and(|flags| flags.contains("master"));
    // Eight fields before the slots.
    if !master || fields.len() > 8 {
        return Ok(Vec::new());
    }
    let taken = client.call(&["CLUSTER", "SLOTS"]).await?;
    let taken = |(first, last): (u16, u16)| {
        taken.list().iter().any(|range| match range.list() {
            [Value::Number(a), Value::Number(b), ..] => {
                *a <= i64::from(last) && *b >= i64::from(first)
            }
            _ => false,
        })
    };
    Ok(declared.slots.iter().copied().filter(|range| !taken(*range)).collect())
}

/// Waits until the cluster is whole, as far as that is in the hands of this server.
async fn agree(client: &mut Client) -> Result<String> {
    let begin = Instant::now();
    loop {
        let info = cluster_info(client).await?;
        let assigned = number(&info, "cluster_slots_assigned");
        match info.get("cluster_state").map(String::as_str) {
            Some("ok") => return Ok(String::new()),
            _ if begin.elapsed() < AGREE => {}
            _ if assigned < SLOTS => {
                return Ok(format!("{assigned} of {SLOTS} slots have a server so far"));
            }
            state => {
                return Err(Failure::new(format!(
                    "cluster_state is {} after {} s",
                    state.unwrap_or("unknown"),
                    AGREE.as_secs()
                )));
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// `CLUSTER INFO` as names and values.
pub(super) async fn cluster_info(client: &mut Client) -> Result<BTreeMap<String, String>> {
    let text = client.call(&["CLUSTER", "INFO"]).await?.text();
    let pair = |line: &str| {
        line.trim_end().split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    Ok(text.lines().filter_map(pair).collect())
}

fn number(info: &BTreeMap<String, String>, name: &str) -> usize {
    info.get(name).and_then(|value| value.parse().ok()).unwrap_or_default()
}
