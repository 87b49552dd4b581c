//! Changing the schema, once, whoever starts it and however often: under a lease that is a row, because
//! MariaDB's named locks are neither shared by a Galera cluster nor waited for without end.

use std::time::Duration;

use sqlx::{Connection as _, MySqlConnection, MySqlPool, Row as _};

use super::{
    StoreError,
    migrations::{MIGRATIONS, Migration},
};
use crate::keys::random_name;

/// Longer than any pause of a process that is still alive; renewed at a third of it.
const LEASE_S: u32 = 60;
const WAIT: Duration = Duration::from_secs(180);

#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "another process ({0}) has held the schema's lease for three minutes and goes on renewing it"
    )]
    Held(String),
    #[error("the lease was lost in the middle; running migrate again is safe")]
    Lost,
    #[error(
        "going back over version {version} would destroy the rows of {table}; back up first, then say \
         --data-loss"
    )]
    Refused { version: u32, table: &'static str },
}

impl From<sqlx::Error> for MigrateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

pub(crate) enum Direction {
    /// To this version, or the newest.
    Up(Option<u32>),
    /// To this version, or one step back.
    Down { to: Option<u32>, data_loss: bool },
}

pub(crate) struct Applied {
    pub(crate) version: u32,
    pub(crate) applied_ms: i64,
}

/// What is applied, oldest first; empty where nothing ever was.
pub(crate) async fn applied(db: &mut MySqlConnection) -> Result<Vec<Applied>, StoreError> {
    let there = sqlx::query(
        "SELECT 1 FROM information_schema.tables
         WHERE table_schema = DATABASE() AND table_name = 'schema_migrations'",
    )
    .fetch_optional(&mut *db)
    .await?;
    if there.is_none() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query("SELECT version, applied_ms FROM schema_migrations ORDER BY version")
        .fetch_all(&mut *db)
        .await?;
    rows.iter()
        .map(|row| Ok(Applied { version: row.try_get(0)?, applied_ms: row.try_get(1)? }))
        .collect()
}

/// Brings the schema to where `direction` says; returns the steps taken, none when it is there already.
pub(crate) async fn migrate(
    pool: &MySqlPool,
    direction: Direction,
) -> Result<Vec<&'static Migration>, MigrateError> {
    let mut db = super::reach(pool).await?;
    prepare(&mut db).await?;
    let holder = random_name().map_err(StoreError::from)?;
    acquire(&mut db, &holder).await?;
    let renewal = tokio::spawn(renew(pool.clone(), holder.clone()));
    let outcome = steps(&mut db, &holder, direction).await;
    renewal.abort();
    // An expiry frees it in any case.
    let _ = sqlx::query("UPDATE schema_lease SET holder = NULL WHERE id = 1 AND holder = ?")
        .bind(&holder)
        .execute(&mut *db)
        .await;
    outcome
}

async fn prepare(db: &mut MySqlConnection) -> Result<(), StoreError> {
    for statement in [
        "CREATE TABLE IF NOT EXISTS schema_lease (
            id TINYINT NOT NULL PRIMARY KEY, holder CHAR(32) NULL, expires TIMESTAMP(3) NULL
        ) ENGINE=InnoDB",
        "CREATE TABLE IF NOT EXISTS schema_migrations (
            version INT UNSIGNED NOT NULL PRIMARY KEY,
            name VARCHAR(100) NOT NULL,
            applied_ms BIGINT NOT NULL
        ) ENGINE=InnoDB",
        "INSERT IGNORE INTO schema_lease (id) VALUES (1)",
    ] {
        sqlx::query(statement).execute(&mut *db).await?;
    }
    Ok(())
}

async fn acquire(db: &mut MySqlConnection, holder: &str) -> Result<(), MigrateError> {
    let end = tokio::time::Instant::now() + WAIT;
    loop {
        if take(db, holder).await? {
            return Ok(());
        }
        if tokio::time::Instant::now() > end {
            let name: Option<String> = sqlx::query("SELECT holder FROM schema_lease WHERE id = 1")
                .fetch_one(&mut *db)
                .await?
                .try_get(0)?;
            return Err(MigrateError::Held(name.unwrap_or_default()));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The server's clock decides, so that the clocks of those who ask don't matter.
async fn take(db: &mut MySqlConnection, holder: &str) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE schema_lease SET holder = ?, expires = NOW(3) + INTERVAL ? SECOND
         WHERE id = 1 AND (holder IS NULL OR holder = ? OR expires < NOW(3))",
    )
    .bind(holder)
    .bind(LEASE_S)
    .bind(holder)
    .execute(&mut *db)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn renew(pool: MySqlPool, holder: String) {
    loop {
        tokio::time::sleep(Duration::from_secs(u64::from(LEASE_S / 3))).await;
        if let Ok(mut db) = pool.acquire().await {
            // A failed renewal shows before the next step, which asks again.
            let _ = take(&mut db, &holder).await;
        }
    }
}

async fn steps(
    db: &mut MySqlConnection,
    holder: &str,
    direction: Direction,
) -> Result<Vec<&'static Migration>, MigrateError> {
    let have: Vec<u32> = applied(db).await?.into_iter().map(|a| a.version).collect();
    let mut taken = Vec::new();
    match direction {
        Direction::Up(to) => {
            for step in MIGRATIONS {
                if !have.contains(&step.version) && to.is_none_or(|to| step.version <= to) {
                    still_ours(db, holder).await?;
                    up(db, step).await?;
                    taken.push(step);
                }
            }
        }
        Direction::Down { to, data_loss } => {
            let newest = have.iter().max().copied().unwrap_or(0);
            let to = to.unwrap_or(newest.saturating_sub(1));
            for step in MIGRATIONS.iter().rev() {
                if have.contains(&step.version) && step.version > to {
                    if !data_loss {
                        empty(db, step).await?;
                    }
                    still_ours(db, holder).await?;
                    down(db, step).await?;
                    taken.push(step);
                }
            }
        }
    }
    Ok(taken)
}

async fn still_ours(db: &mut MySqlConnection, holder: &str) -> Result<(), MigrateError> {
    if take(db, holder).await? { Ok(()) } else { Err(MigrateError::Lost) }
}

async fn up(db: &mut MySqlConnection, step: &Migration) -> Result<(), StoreError> {
    for statement in step.up {
        sqlx::query(*statement).execute(&mut *db).await?;
    }
    sqlx::query(
        "INSERT IGNORE INTO schema_migrations (version, name, applied_ms) VALUES (?, ?, ?)",
    )
    .bind(step.version)
    .bind(step.name)
    .bind(super::now_ms())
    .execute(&mut *db)
    .await?;
    Ok(())
}

async fn down(db: &mut MySqlConnection, step: &Migration) -> Result<(), StoreError> {
    // Forgotten first: a crash in between leaves a step that `up` repeats harmlessly.
    sqlx::query("DELETE FROM schema_migrations WHERE version = ?")
        .bind(step.version)
        .execute(&mut *db)
        .await?;
    let mut transaction = db.begin().await?;
    for statement in step.down {
        sqlx::query(*statement).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn empty(db: &mut MySqlConnection, step: &Migration) -> Result<(), MigrateError> {
    for table in step.keeps {
        let query = format!("SELECT 1 FROM {table} LIMIT 1");
        // The name is one of the constants of `MIGRATIONS`.
        let row = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_optional(&mut *db).await;
        match row {
            Ok(None) => {}
            Ok(Some(_)) => return Err(MigrateError::Refused { version: step.version, table }),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

impl MigrateError {
    /// Refused, as opposed to failed: running it again won't help.
    pub(crate) fn refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}
