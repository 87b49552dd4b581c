//! The worker: takes months from the queue, signs them, and only then tells the broker. A message may come
//! twice, and a worker may die at any point; a month is signed once all the same.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions},
    types::FieldTable,
};
use tokio::time::Instant;

use super::{ANSWER, QUEUE, QueueError, connect, declare};
use crate::{
    backoff::Backoff,
    causes::causes,
    config::Config,
    export,
    keys::random_name,
    signals::Shutdown,
    store::{
        Store, now_ms,
        outbox::{Prune, SignTask},
        signing::{Outcome, Sign},
        workers::{Beat, Leave},
    },
};

const BEAT_EVERY: Duration = Duration::from_secs(5);
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(60);
/// Few: what a stopping or dying worker holds must wait for another one.
const PREFETCH: u16 = 8;

/// Works until told to stop; returns when the message in hand is done.
pub(crate) async fn work(config: &Config, store: &Store, shutdown: Shutdown) {
    let me = random_name().unwrap_or_else(|_| format!("{:032}", std::process::id()));
    let signed = Arc::new(AtomicU64::new(0));
    let beating = tokio::spawn(beat(
        store.clone(),
        me.clone(),
        config.release.clone(),
        Arc::clone(&signed),
        config.exports.clone(),
    ));
    let mut backoff = Backoff::new(Duration::from_millis(300), Duration::from_secs(5));
    let mut turn = 0;
    while !shutdown.begun() {
        let started = Instant::now();
        if let Err(error) = session(config, turn, store, &signed, &shutdown).await {
            tracing::warn!(error = causes(&error), "broker is away");
        }
        turn += 1;
        if started.elapsed() > Duration::from_secs(30) {
            backoff.reset();
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next()) => {}
            () = shutdown.wait() => {}
        }
    }
    beating.abort();
    // Otherwise the row counts as gone after three missed beats.
    let _ = store.run_within(Duration::from_secs(1), Duration::from_secs(1), Leave(&me)).await;
}

async fn session(
    config: &Config,
    turn: usize,
    store: &Store,
    signed: &AtomicU64,
    shutdown: &Shutdown,
) -> Result<(), QueueError> {
    let connection = tokio::select! {
        connection = connect(&config.amqp, turn, "ficharfirm worker") => connection?,
        () = shutdown.wait() => return Ok(()),
    };
    let channel = tokio::time::timeout(ANSWER, connection.create_channel()).await??;
    let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
    tokio::time::timeout(ANSWER, qos).await??;
    declare(&channel).await?;
    let consume = channel.basic_consume(
        QUEUE.into(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut consumer = tokio::time::timeout(ANSWER, consume).await??;
    tracing::info!("waiting for months to sign");
    loop {
        let next = tokio::select! {
            next = consumer.next() => next,
            () = shutdown.wait() => break,
        };
        let Some(delivery) = next else { return Ok(()) };
        if !handle(config, store, delivery?, signed, shutdown).await? {
            break;
        }
    }
    // What was taken but not begun goes back to the queue with the connection.
    let _ =
        tokio::time::timeout(Duration::from_secs(2), connection.close(200, "stop".into())).await;
    Ok(())
}

/// False where the worker was told to stop before this could be done.
async fn handle(
    config: &Config,
    store: &Store,
    delivery: Delivery,
    signed: &AtomicU64,
    shutdown: &Shutdown,
) -> Result<bool, QueueError> {
    let Ok(task) = serde_json::from_slice::<SignTask>(&delivery.data) else {
        tracing::error!("a message that is none of ours was thrown away");
        delivery.reject(BasicRejectOptions { requeue: false }).await?;
        return Ok(true);
    };
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    // The message stays in hand until the database is back: handed back, it would return at once.
    let outcome = loop {
        match store.run(Sign { keys: &store.keys, task: &task }).await {
            Ok(outcome) => break outcome,
            Err(error) => {
                let error = causes(&error);
                tracing::warn!(error, outbox = task.outbox, "could not sign yet");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next()) => {}
            () = shutdown.wait() => return Ok(false),
        }
    };
    match outcome {
        Outcome::Signed => {
            signed.fetch_add(1, Ordering::Relaxed);
            export::write(&config.exports, store, &task).await;
        }
        Outcome::Broken(seq) => {
            tracing::error!(outbox = task.outbox, seq, "not signed: a record does not verify");
        }
        Outcome::Already | Outcome::Erased => {}
    }
    tracing::info!(outbox = task.outbox, ?outcome, "month");
    tokio::time::timeout(ANSWER, delivery.ack(BasicAckOptions::default())).await??;
    Ok(true)
}

/// Says every few seconds that this worker is there, and keeps house now and then.
async fn beat(store: Store, me: String, release: String, signed: Arc<AtomicU64>, exports: PathBuf) {
    let started_ms = now_ms();
    let mut next_house = Instant::now();
    loop {
        let beat =
            Beat { id: &me, release: &release, started_ms, signed: signed.load(Ordering::Relaxed) };
        if let Err(error) = store.run(beat).await {
            tracing::warn!(error = causes(&error), "no heartbeat");
        } else if Instant::now() >= next_house {
            next_house = Instant::now() + HOUSEKEEPING_EVERY;
            export::remove_erased(&exports, &store).await;
            if let Err(error) = store.run(Prune).await {
                tracing::debug!(%error, "the outbox was not pruned");
            }
        }
        tokio::time::sleep(BEAT_EVERY).await;
    }
}
