//! Virtual hosts, users, permissions and policies of the local RabbitMQ, over its management
//! interface on loopback.

mod compare;

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Context, Failure, Result};
use crate::machine::Machine;
use crate::net::http::{self, Request};
use andamio_manifest::Rabbitmq;
use serde_json::Value;
use std::time::Duration;

/// A definition is agreed on by the whole cluster.
const ANSWER: Duration = Duration::from_secs(20);

/// One change, as a request.
#[derive(Debug, PartialEq)]
struct Change {
    method: &'static str,
    path: String,
    /// `Null` for none.
    body: Value,
}

/// What the server has.
struct Live {
    vhosts: Vec<Value>,
    users: Vec<Value>,
    permissions: Vec<Value>,
    policies: Vec<Value>,
}

impl Resource for Rabbitmq {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        match live(self).await {
            Err(failure) if machine.role_comes_later() => {
                let mut diff = Diff::default();
                self.vhosts.iter().for_each(|vhost| diff.plus(format!("vhost {vhost}")));
                self.users.iter().for_each(|user| diff.plus(format!("user {}", user.name)));
                diff.message = format!("compared when the server runs: {failure}");
                Ok(diff)
            }
            live => Ok(compare::compare(self, &live?).0),
        }
    }

    async fn make(&self, _: &mut Machine, say: &Say) -> Result<String> {
        let (_, changes) = compare::compare(self, &live(self).await?);
        for change in changes {
            let what = format!("{} {}", change.method, change.path);
            say.say(&what);
            let body = if change.body.is_null() { String::new() } else { change.body.to_string() };
            ask(self, change.method, &change.path, &body).await?;
        }
        Ok(String::new())
    }

    fn doing(&self) -> String {
        "rabbitmq".to_owned()
    }
}

async fn live(declared: &Rabbitmq) -> Result<Live> {
    Ok(Live {
        vhosts: list(declared, "/api/vhosts").await?,
        users: list(declared, "/api/users").await?,
        permissions: list(declared, "/api/permissions").await?,
        policies: list(declared, "/api/policies").await?,
    })
}

async fn list(declared: &Rabbitmq, path: &str) -> Result<Vec<Value>> {
    let body = ask(declared, "GET", path, "").await?;
    serde_json::from_str(&body).during(format!("reading rabbitmq's {path}"))
}

async fn ask(declared: &Rabbitmq, method: &str, path: &str, body: &str) -> Result<String> {
    let request = Request {
        method,
        address: &declared.management,
        path,
        login: Some((&declared.admin, &declared.admin_password.text)),
        body,
    };
    let answer = http::send(&request, ANSWER).await?;
    match answer.status {
        200..=299 => Ok(answer.body),
        // Somebody else removed it in between.
        404 if method == "DELETE" => Ok(String::new()),
        401 => Err(Failure::new(format!("rabbitmq does not let {} in", declared.admin))),
        status => {
            Err(Failure::new(format!("rabbitmq, {method} {path}: {status} {}", answer.body.trim())))
        }
    }
}
