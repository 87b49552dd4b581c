//! MariaDB: the only place where anything must not be lost. Every operation here can be run again, so a lost
//! connection, a deadlock or a fail-over is answered by running it again until the caller's time is up.

pub(crate) mod employees;
pub(crate) mod migrate;
pub(crate) mod migrations;
pub(crate) mod outbox;
pub(crate) mod records;
pub(crate) mod sheets;
pub(crate) mod signing;
pub(crate) mod verify;
pub(crate) mod workers;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{
    MySql, MySqlConnection, MySqlPool,
    mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode},
    pool::PoolConnection,
};

use crate::{backoff::Backoff, config::Database, keys::KeyError, keys::Keyring};

/// A request's time in the store. A fail-over of the cluster takes about three seconds; whoever waits for an
/// acknowledgement longer than this has gone.
pub(crate) const REQUEST: Duration = Duration::from_millis(4500);
/// One try. Above any honest query here, below a client's patience.
const ATTEMPT: Duration = Duration::from_millis(1800);
const ACQUIRE: Duration = Duration::from_millis(1500);

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the database of DATABASE_URL does not answer")]
    Timeout,
    #[error("the database failed")]
    Sql(#[source] sqlx::Error),
    #[error("a key does not fit")]
    Key(#[from] KeyError),
    #[error("a stored record can't be read")]
    Malformed,
    #[error("no such employee")]
    UnknownEmployee,
    #[error("this employee was erased")]
    Erased,
    #[error("this id was used by another employee")]
    IdTaken,
    #[error("no record {0} to correct")]
    NoSuchRecord(u64),
}

impl StoreError {
    /// Worth another try: the connection is gone, or the server chose this transaction as a deadlock's victim.
    fn passing(&self) -> bool {
        match self {
            Self::Timeout => true,
            Self::Sql(error) => passing(error),
            _ => false,
        }
    }

    /// The database is away or not itself, as opposed to: it answered and the answer is no.
    pub(crate) fn unavailable(&self) -> bool {
        matches!(self, Self::Timeout | Self::Sql(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            // Refused connections end so, too.
            sqlx::Error::PoolTimedOut => Self::Timeout,
            error => Self::Sql(error),
        }
    }
}

fn passing(error: &sqlx::Error) -> bool {
    match error {
        // A certificate that does not fit comes as invalid data, and does not fit the next time either.
        sqlx::Error::Io(io) => io.kind() != std::io::ErrorKind::InvalidData,
        sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(db) => db
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
            .is_some_and(|e| PASSING.contains(&e.number())),
        _ => false,
    }
}

/// Server errors that a moment cures: too many connections, server shutting down, connection aborted or
/// killed, lock wait, deadlock (also Galera's certification), Galera without quorum, read-only after a
/// fail-over.
const PASSING: [u16; 10] = [1040, 1053, 1152, 1158, 1159, 1205, 1213, 1047, 1290, 1927];

pub(crate) fn duplicate(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(db) if db.is_unique_violation())
}

/// A unit of work on one connection that may safely be run more than once.
pub(crate) trait Operation: Sync {
    type Output: Send;

    fn run(
        &self,
        db: &mut MySqlConnection,
    ) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

#[derive(Clone)]
pub(crate) struct Store {
    pool: MySqlPool,
    pub(crate) keys: Arc<Keyring>,
}

impl Store {
    /// Connects only when something is asked of it: a process starts whether the database is there or not.
    pub(crate) fn new(config: &Database, keys: Arc<Keyring>) -> Result<Self, StoreError> {
        Ok(Self { pool: pool(config)?, keys })
    }

    /// Runs an operation within the time of a request.
    pub(crate) async fn run<O: Operation>(&self, operation: O) -> Result<O::Output, StoreError> {
        self.run_within(REQUEST, ATTEMPT, operation).await
    }

    /// Runs an operation, again after whatever passes, for at most `total`; each try at most `attempt`.
    pub(crate) async fn run_within<O: Operation>(
        &self,
        total: Duration,
        attempt: Duration,
        operation: O,
    ) -> Result<O::Output, StoreError> {
        let end = Instant::now() + total;
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(250));
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let error = match self.attempt(attempt.min(left), &operation).await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            let pause = backoff.next();
            if !error.passing() || Instant::now() + pause >= end {
                return Err(error);
            }
            tracing::debug!(%error, "trying the database again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt<O: Operation>(
        &self,
        limit: Duration,
        operation: &O,
    ) -> Result<O::Output, StoreError> {
        let end = tokio::time::Instant::now() + limit;
        let mut connection = tokio::time::timeout_at(end, self.pool.acquire())
            .await
            .map_err(|_| StoreError::Timeout)??;
        let outcome = tokio::time::timeout_at(end, operation.run(&mut connection)).await;
        match outcome {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(StoreError::Sql(error))) if !matches!(error, sqlx::Error::Database(_)) => {
                // Broken: handing it back would let the next request find that out.
                drop(connection.detach());
                Err(StoreError::Sql(error))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                // A query may still run on it. Closed here, the server rolls it back, and the pool doesn't
                // wait for an answer that never comes.
                drop(connection.detach());
                Err(StoreError::Timeout)
            }
        }
    }
}

pub(crate) fn pool(config: &Database) -> Result<MySqlPool, StoreError> {
    let options: MySqlConnectOptions = config.url.parse()?;
    let named_mode = config.url.contains("ssl-mode=") || config.url.contains("sslmode=");
    let options = match &config.ca {
        // The certificate's name is not checked by default: processes reach the database through a local
        // balancer. ssl-mode=VERIFY_IDENTITY in the URL asks for that too.
        Some(ca) if named_mode => options.ssl_ca(ca),
        Some(ca) => options.ssl_ca(ca).ssl_mode(MySqlSslMode::VerifyCa),
        None if named_mode => options,
        None => options.ssl_mode(MySqlSslMode::Disabled),
    };
    Ok(MySqlPoolOptions::new()
        .max_connections(config.pool.max(2))
        .min_connections(0)
        .acquire_timeout(ACQUIRE)
        .max_lifetime(Duration::from_secs(600))
        .idle_timeout(Duration::from_secs(120))
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                // A busy connection proves itself; a rested one may have lost its server unnoticed.
                if meta.idle_for < Duration::from_secs(1) {
                    return Ok(true);
                }
                let ping = sqlx::Connection::ping(connection);
                Ok(matches!(
                    tokio::time::timeout(Duration::from_millis(300), ping).await,
                    Ok(Ok(()))
                ))
            })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                use sqlx::Executor as _;
                connection.execute("SET SESSION innodb_lock_wait_timeout = 2").await?;
                Ok(())
            })
        })
        .connect_lazy_with(options))
}

/// A connection for a command, which can wait out a fail-over.
pub(crate) async fn reach(pool: &MySqlPool) -> Result<PoolConnection<MySql>, StoreError> {
    let end = Instant::now() + Duration::from_secs(30);
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
    loop {
        match pool.acquire().await.map_err(StoreError::from) {
            Err(error) if error.passing() && Instant::now() < end => {
                tokio::time::sleep(backoff.next()).await;
            }
            reached => return reached,
        }
    }
}

/// Milliseconds since 1970, UTC: how times are stored.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
