//! Redis, in cluster mode. Everything in it can be lost: sessions verify without it, limits fall back to this
//! process, the status is read from the database. So no call here waits long, and none fails its caller.

mod scripts;

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use redis::{
    FromRedisValue, RedisError, TlsCertificates,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
};

use crate::{backoff::Backoff, config::Redis, store::now_ms};

/// What a request waits for Redis at most.
const CALL: Duration = Duration::from_millis(250);
/// After a failed call all calls skip Redis for this long: one slow answer must not slow every request.
const REST_MS: i64 = 1000;
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Failed probes after which the connection is made anew from the list of nodes.
const RENEW_AFTER: u32 = 3;
const STATUS_TTL_S: u64 = 24 * 3600;
const KNOWN_TTL_S: u64 = 30 * 24 * 3600;

#[derive(Clone)]
pub(crate) struct Cache(Arc<Inner>);

struct Inner {
    client: ClusterClient,
    connection: RwLock<Option<ClusterConnection>>,
    resting_until: AtomicI64,
    ok: AtomicBool,
}

/// What Redis says about a request of a session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Go,
    /// Milliseconds until the next one may come.
    Wait(u64),
    Ended,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("REDIS_CA can't be read")]
    Ca(#[from] std::io::Error),
    #[error("REDIS_URL can't be used: {0}")]
    Url(#[from] RedisError),
}

impl Cache {
    pub(crate) fn new(config: &Redis) -> Result<Self, CacheError> {
        let mut builder = ClusterClientBuilder::new(config.nodes.iter().map(String::as_str))
            .connection_timeout(Duration::from_millis(700))
            .response_timeout(CALL)
            .retries(1)
            .min_retry_wait(10)
            .max_retry_wait(50);
        if let Some(ca) = &config.ca {
            let root_cert = Some(std::fs::read(ca)?);
            builder = builder.certs(TlsCertificates { client_tls: None, root_cert });
        }
        Ok(Self(Arc::new(Inner {
            client: builder.build()?,
            connection: RwLock::new(None),
            resting_until: AtomicI64::new(0),
            ok: AtomicBool::new(false),
        })))
    }

    pub(crate) fn ok(&self) -> bool {
        self.0.ok.load(Ordering::Relaxed)
    }

    /// Keeps the connection: probes it, and makes it anew when it is lost. Never ends.
    pub(crate) async fn keep(self) {
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
        let mut failures = 0;
        loop {
            if self.connection().is_none() {
                match tokio::time::timeout(
                    Duration::from_secs(3),
                    self.0.client.get_async_connection(),
                )
                .await
                {
                    Ok(Ok(connection)) => {
                        self.set(Some(connection));
                        backoff.reset();
                        failures = 0;
                    }
                    Ok(Err(error)) => tracing::warn!(%error, "redis is away"),
                    Err(_) => tracing::warn!("redis does not answer"),
                }
            }
            let alive = self.probe().await;
            if alive != self.0.ok.swap(alive, Ordering::Relaxed) {
                tracing::info!(alive, "redis");
            }
            if alive {
                failures = 0;
                tokio::time::sleep(PROBE_EVERY).await;
                continue;
            }
            failures += 1;
            if failures >= RENEW_AFTER {
                self.set(None);
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn probe(&self) -> bool {
        let Some(mut connection) = self.connection() else { return false };
        let command = redis::cmd("EXISTS").arg("ficharfirm:probe").to_owned();
        let probe = command.query_async::<i64>(&mut connection);
        matches!(tokio::time::timeout(CALL * 2, probe).await, Ok(Ok(_)))
    }

    fn connection(&self) -> Option<ClusterConnection> {
        self.0.connection.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, connection: Option<ClusterConnection>) {
        *self.0.connection.write().unwrap_or_else(PoisonError::into_inner) = connection;
    }

    /// Nothing where Redis is away or slow.
    async fn call<T: FromRedisValue>(&self, command: &redis::Cmd) -> Option<T> {
        if self.0.resting_until.load(Ordering::Relaxed) > now_ms() {
            return None;
        }
        let mut connection = self.connection()?;
        match tokio::time::timeout(CALL, command.query_async(&mut connection)).await {
            Ok(Ok(value)) => Some(value),
            failed => {
                if let Ok(Err(error)) = failed {
                    tracing::debug!(%error, "redis call failed");
                }
                self.0.resting_until.store(now_ms() + REST_MS, Ordering::Relaxed);
                None
            }
        }
    }

    /// Counts a request of an employee's session and says whether it may go on.
    pub(crate) async fn admit(
        &self,
        employee: &str,
        session: &str,
        limit: u32,
        window: Duration,
    ) -> Option<Admission> {
        let mut command = redis::cmd("EVAL");
        command
            .arg(scripts::ADMIT)
            .arg(2)
            .arg(key(employee, "rate"))
            .arg(key(employee, &format!("ended:{session}")))
            .arg(limit)
            .arg(window.as_millis() as u64);
        let answer: i64 = self.call(&command).await?;
        Some(match answer {
            0 => Admission::Go,
            wait if wait > 0 => Admission::Wait(wait.unsigned_abs()),
            _ => Admission::Ended,
        })
    }

    /// Milliseconds that `who` (an employee or an address) has to wait after its failed sign-ins; 0: none.
    pub(crate) async fn failures_wait(
        &self,
        who: &str,
        limit: u32,
        window: Duration,
    ) -> Option<u64> {
        let mut command = redis::cmd("EVAL");
        command
            .arg(scripts::FAILURES)
            .arg(1)
            .arg(key(who, "failed"))
            .arg(limit)
            .arg(window.as_millis() as u64);
        self.call(&command).await
    }

    pub(crate) async fn failed(&self, who: &str, limit: u32, window: Duration) -> Option<()> {
        let mut command = redis::cmd("EVAL");
        command
            .arg(scripts::FAILED)
            .arg(1)
            .arg(key(who, "failed"))
            .arg(limit)
            .arg(window.as_millis() as u64);
        self.call::<i64>(&command).await.map(|_| ())
    }

    /// Remembers that this employee signs in from this address.
    pub(crate) async fn remember(&self, address: &str, employee: &str) {
        let mut command = redis::cmd("SET");
        command.arg(key(address, &format!("known:{employee}"))).arg(1).arg("EX").arg(KNOWN_TTL_S);
        self.call::<()>(&command).await;
    }

    pub(crate) async fn known(&self, address: &str, employee: &str) -> Option<bool> {
        let command =
            redis::cmd("EXISTS").arg(key(address, &format!("known:{employee}"))).to_owned();
        self.call(&command).await
    }

    pub(crate) async fn begin_session(&self, employee: &str, session: &str, seconds: u64) {
        let mut command = redis::cmd("SET");
        command.arg(key(employee, &format!("session:{session}"))).arg(now_ms());
        command.arg("EX").arg(seconds.max(1));
        self.call::<()>(&command).await;
    }

    /// Nothing where it could not be recorded: the token would still be good.
    pub(crate) async fn end_session(&self, e: &str, session: &str, seconds: u64) -> Option<()> {
        let mut command = redis::cmd("SET");
        command.arg(key(e, &format!("ended:{session}"))).arg(1).arg("EX").arg(seconds.max(1));
        self.call::<()>(&command).await?;
        let command = redis::cmd("DEL").arg(key(e, &format!("session:{session}"))).to_owned();
        self.call::<i64>(&command).await;
        Some(())
    }

    /// Keeps the newest status only, in whichever order the punches' answers arrive here.
    pub(crate) async fn set_status(&self, employee: &str, status: &str, seq: u64) {
        let mut command = redis::cmd("EVAL");
        command
            .arg(scripts::SET_STATUS)
            .arg(1)
            .arg(key(employee, "status"))
            .arg(seq)
            .arg(status)
            .arg(STATUS_TTL_S);
        self.call::<i64>(&command).await;
    }

    pub(crate) async fn status(&self, employee: &str) -> Option<String> {
        let command = redis::cmd("HGET").arg(key(employee, "status")).arg("value").to_owned();
        self.call::<Option<String>>(&command).await?
    }

    /// One short-lived connection: for commands that are not a server.
    pub(crate) async fn forget_status(&self, employee: &str) -> bool {
        let connect = self.0.client.get_async_connection();
        let Ok(Ok(connection)) = tokio::time::timeout(Duration::from_secs(3), connect).await else {
            return false;
        };
        self.set(Some(connection));
        let command = redis::cmd("DEL").arg(key(employee, "status")).to_owned();
        self.call::<i64>(&command).await.is_some()
    }
}

/// The braces put all keys of one employee or address into one slot.
fn key(who: &str, what: &str) -> String {
    format!("ficharfirm:{{{who}}}:{what}")
}
