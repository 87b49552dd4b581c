//! From the outbox to the broker. Every web process runs one. A row counts as sent only when the broker has
//! confirmed it; a broker that is away leaves rows waiting, nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesOrdered};
use lapin::{
    BasicProperties, Channel, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use tokio::{sync::Notify, time::Instant};

use super::{ANSWER, QUEUE, QueueError, connect, declare};
use crate::{
    backoff::Backoff,
    causes::causes,
    config::Amqp,
    keys::random_name,
    store::{
        Store,
        outbox::{Claim, MarkSent, Release, SendLostAgain, SignTask},
    },
};

const BATCH: u32 = 50;
const POLL: Duration = Duration::from_secs(1);
const DEPTH_EVERY: Duration = Duration::from_secs(5);
const LOST_EVERY: Duration = Duration::from_secs(30);

/// What other parts see of the relay.
#[derive(Clone, Default)]
pub(crate) struct RelayState {
    ok: Arc<AtomicBool>,
    depth: Arc<AtomicI64>,
    wake: Arc<Notify>,
}

impl RelayState {
    /// Whether the broker is connected.
    pub(crate) fn ok(&self) -> bool {
        self.ok.load(Ordering::Relaxed)
    }

    /// Messages that wait in the queue; `None` while the broker can't be asked.
    pub(crate) fn depth(&self) -> Option<u32> {
        self.ok().then(|| u32::try_from(self.depth.load(Ordering::Relaxed)).ok()).flatten()
    }

    /// There is something new in the outbox.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }
}

/// Relays until the process ends, through any number of lost connections.
pub(crate) async fn relay(config: Amqp, store: Store, state: RelayState) {
    let mut backoff = Backoff::new(Duration::from_millis(300), Duration::from_secs(5));
    let mut turn = 0;
    loop {
        let started = Instant::now();
        if let Err(error) = session(&config, turn, &store, &state).await {
            tracing::warn!(error = causes(&error), "broker is away");
        }
        state.ok.store(false, Ordering::Relaxed);
        state.depth.store(-1, Ordering::Relaxed);
        turn = turn.wrapping_add(1);
        if started.elapsed() > Duration::from_secs(30) {
            backoff.reset();
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

async fn session(
    config: &Amqp,
    turn: usize,
    store: &Store,
    state: &RelayState,
) -> Result<(), QueueError> {
    let connection = connect(config, turn, "ficharfirm relay").await?;
    let channel = tokio::time::timeout(ANSWER, connection.create_channel()).await??;
    tokio::time::timeout(ANSWER, channel.confirm_select(ConfirmSelectOptions::default())).await??;
    let mut depth = declare(&channel).await?;
    state.depth.store(i64::from(depth), Ordering::Relaxed);
    state.ok.store(true, Ordering::Relaxed);
    tracing::info!("broker connected");
    let me = random_name().map_err(crate::store::StoreError::from)?;
    let mut next_depth = Instant::now() + DEPTH_EVERY;
    let mut next_lost = Instant::now() + LOST_EVERY;
    loop {
        // A database that is away is no reason to leave the broker.
        match store.run(Claim { by: &me, limit: BATCH }).await {
            Ok(tasks) if tasks.is_empty() => {}
            Ok(tasks) => {
                let sent = send(&channel, store, &tasks).await;
                if let Err(error) = sent {
                    // Best effort: an unreleased claim runs out by itself.
                    let _ = store.run(Release(&me)).await;
                    return Err(error);
                }
                continue;
            }
            Err(error) => tracing::debug!(%error, "the outbox can't be read"),
        }
        if Instant::now() >= next_depth {
            depth = declare(&channel).await?;
            state.depth.store(i64::from(depth), Ordering::Relaxed);
            next_depth = Instant::now() + DEPTH_EVERY;
        }
        if depth == 0 && Instant::now() >= next_lost {
            match store.run(SendLostAgain).await {
                Ok(0) | Err(_) => {}
                Ok(rows) => {
                    tracing::warn!(rows, "messages were lost with the broker; sending again")
                }
            }
            next_lost = Instant::now() + LOST_EVERY;
        }
        // Elapsing is the ordinary case: another process may have written to the outbox.
        let _ = tokio::time::timeout(POLL, state.wake.notified()).await;
    }
}

async fn send(channel: &Channel, store: &Store, tasks: &[SignTask]) -> Result<(), QueueError> {
    let mut confirms = FuturesOrdered::new();
    for task in tasks {
        let payload = serde_json::to_vec(task).map_err(|_| QueueError::Refused)?;
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_message_id(task.outbox.to_string().into());
        // Mandatory: a queue that is gone sends the message back instead of dropping it.
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let publish = channel.basic_publish("".into(), QUEUE.into(), options, &payload, properties);
        let confirm = tokio::time::timeout(ANSWER, publish).await??;
        let id = task.outbox;
        confirms.push_back(async move { (id, confirm.await) });
    }
    while let Some((id, confirm)) = tokio::time::timeout(ANSWER, confirms.next()).await? {
        match confirm? {
            Confirmation::Ack(None) => store.run(MarkSent(id)).await?,
            _ => return Err(QueueError::Refused),
        }
    }
    Ok(())
}
