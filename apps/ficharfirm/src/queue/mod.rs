//! RabbitMQ: one quorum queue of months to sign. Nothing is lost with it: the outbox in the database knows
//! what is asked for and what is done.

pub(crate) mod relay;
pub(crate) mod worker;

use std::time::Duration;

use lapin::{
    Channel, Connection, ConnectionProperties,
    options::QueueDeclareOptions,
    runtime::default_runtime,
    types::{AMQPValue, FieldTable},
    uri::AMQPUri,
};

use crate::config::Amqp;

/// Also its name on the broker; deployments scale workers by its depth.
pub(crate) const QUEUE: &str = "sign";
/// Any one answer of the broker; a quorum queue may be choosing a leader.
pub(crate) const ANSWER: Duration = Duration::from_secs(8);
/// Seconds; a dead connection is noticed after two missed ones.
const HEARTBEAT_S: u16 = 8;

#[derive(Debug, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("the broker's address can't be used: {0}")]
    Url(String),
    #[error("AMQP_CA can't be read")]
    Ca(#[from] std::io::Error),
    #[error("the broker refused")]
    Amqp(#[from] lapin::Error),
    #[error("the broker does not answer")]
    Timeout(#[from] tokio::time::error::Elapsed),
    #[error("the broker did not take the message")]
    Refused,
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

/// Connects to the first broker that answers, beginning with the `turn`-th.
pub(crate) async fn connect(
    config: &Amqp,
    turn: usize,
    name: &str,
) -> Result<Connection, QueueError> {
    let ca = match &config.ca {
        Some(path) => Some(tokio::fs::read_to_string(path).await?),
        None => None,
    };
    let mut last = QueueError::Url("the list is empty".into());
    for index in 0..config.nodes.len() {
        let Some(node) = config.nodes.get((turn + index) % config.nodes.len()) else { break };
        match one(node, ca.clone(), name).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn one(node: &str, ca: Option<String>, name: &str) -> Result<Connection, QueueError> {
    let mut uri: AMQPUri = node.parse().map_err(QueueError::Url)?;
    uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
    uri.query.connection_timeout.get_or_insert(2000);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let tls = lapin::tcp::OwnedTLSConfig { identity: None, cert_chain: ca };
    let connecting = Connection::connect_uri_with_config(uri, properties, tls, default_runtime()?);
    Ok(tokio::time::timeout(Duration::from_secs(5), connecting).await??)
}

/// Declares the queue, which does nothing where it is there already; returns how many messages wait in it.
pub(crate) async fn declare(channel: &Channel) -> Result<u32, QueueError> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let declaring = channel.queue_declare(QUEUE.into(), QueueDeclareOptions::durable(), arguments);
    Ok(tokio::time::timeout(ANSWER, declaring).await??.message_count())
}
