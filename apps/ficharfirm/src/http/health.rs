//! Alive and ready. The services are looked at in the background; an answer here never waits for one.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};
use sqlx::{MySqlConnection, Row as _};

use super::App;
use crate::{
    keys::Keyring,
    store::{
        Operation, Store, StoreError, migrate, migrations, now_ms,
        outbox::{Depth, ReadDepth},
        workers::{ReadWorkers, Workers},
    },
};

const PROBE_EVERY: Duration = Duration::from_secs(1);
const PROBE: Duration = Duration::from_millis(1500);
/// A look at the database older than this says nothing any more.
const STALE_MS: i64 = 6000;

/// What the background looks have found.
#[derive(Default)]
pub(crate) struct Health {
    database: AtomicBool,
    schema: AtomicBool,
    key: AtomicBool,
    looked_ms: AtomicI64,
    gauges: Mutex<Gauges>,
}

#[derive(Default, Clone, Copy)]
pub(crate) struct Gauges {
    pub(crate) depth: Depth,
    pub(crate) workers: Workers,
}

struct Probe<'a>(&'a Keyring);

struct Seen {
    /// The schema is what this program needs.
    schema: bool,
    /// SESSION_KEY opens what is stored: with a wrong one every punch would fail, so no such process may
    /// take the place of a good one.
    key: bool,
}

impl Operation for Probe<'_> {
    type Output = Seen;

    async fn run(&self, db: &mut MySqlConnection) -> Result<Seen, StoreError> {
        let version = migrate::applied(db).await?.iter().map(|a| a.version).max().unwrap_or(0);
        if version < migrations::needed() {
            return Ok(Seen { schema: false, key: true });
        }
        let row = sqlx::query(
            "SELECT id, key_wrapped FROM employees WHERE key_wrapped IS NOT NULL LIMIT 1",
        )
        .fetch_optional(&mut *db)
        .await?;
        let Some(row) = row else { return Ok(Seen { schema: true, key: true }) };
        let (id, wrapped): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Seen { schema: true, key: self.0.unwrap_key(&id, &wrapped).is_ok() })
    }
}

impl Health {
    fn fresh(&self) -> bool {
        now_ms() - self.looked_ms.load(Ordering::Relaxed) < STALE_MS
    }

    pub(crate) fn database(&self) -> bool {
        self.database.load(Ordering::Relaxed) && self.fresh()
    }

    fn schema(&self) -> bool {
        self.schema.load(Ordering::Relaxed)
    }

    pub(crate) fn gauges(&self) -> Gauges {
        *self.gauges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the database every second. Never ends.
    pub(crate) async fn watch(self: Arc<Self>, store: Store) {
        let mut round = 0u32;
        loop {
            match store.run_within(PROBE, PROBE, Probe(&store.keys)).await {
                Ok(Seen { schema, key }) => {
                    self.schema.store(schema, Ordering::Relaxed);
                    if !key && self.key.load(Ordering::Relaxed) {
                        tracing::error!("SESSION_KEY does not open the employees' keys");
                    }
                    self.key.store(key, Ordering::Relaxed);
                    self.seen(true);
                    if schema && round.is_multiple_of(3) {
                        self.measure(&store).await;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "database probe");
                    self.seen(false);
                }
            }
            round = round.wrapping_add(1);
            tokio::time::sleep(PROBE_EVERY).await;
        }
    }

    fn seen(&self, there: bool) {
        self.looked_ms.store(now_ms(), Ordering::Relaxed);
        if self.database.swap(there, Ordering::Relaxed) != there {
            tracing::info!(there, "database");
        }
    }

    async fn measure(&self, store: &Store) {
        let depth = store.run_within(PROBE, PROBE, ReadDepth).await;
        let workers = store.run_within(PROBE, PROBE, ReadWorkers).await;
        let mut gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(depth) = depth {
            gauges.depth = depth;
        }
        if let Ok(workers) = workers {
            gauges.workers = workers;
        }
    }
}

pub(crate) async fn healthz(State(app): State<App>) -> Json<Value> {
    Json(json!({ "ok": true, "release": app.config.release }))
}

/// Ready means: punches are recorded. Without Redis and the broker they are.
pub(crate) async fn readyz(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let mut missing = Vec::new();
    if !app.health.database() {
        missing.push("mariadb");
    } else if !app.health.schema() {
        missing.push("schema");
    } else if !app.health.key.load(Ordering::Relaxed) {
        missing.push("session_key");
    }
    let mut degraded = Vec::new();
    if !app.cache.ok() {
        degraded.push("redis");
    }
    if !app.relay.ok() {
        degraded.push("rabbitmq");
    }
    let draining = app.shutdown.begun();
    let ready = missing.is_empty() && !draining;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": ready,
        "missing": missing,
        "degraded": degraded,
        "draining": draining,
        "release": app.config.release,
    });
    (status, Json(body))
}
