//! The outbox: wishes for signatures, written with what they depend on, sent to the broker later. A row is
//! *sent* when the broker confirmed it and *done* when a worker signed.

use serde::{Deserialize, Serialize};
use sqlx::{MySqlConnection, Row as _};

use super::{Operation, StoreError, now_ms};

/// A relay that died lets go of its rows after this.
const CLAIM_MS: i64 = 15_000;
/// Rows sent but not done for so long are looked at: is their message still in the queue?
const OVERDUE_MS: i64 = 120_000;
const KEEP_MS: i64 = 7 * 24 * 3_600_000;

/// The message of the queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SignTask {
    pub(crate) outbox: u64,
    pub(crate) employee: String,
    /// YYYYMM
    pub(crate) month: u32,
    pub(crate) through_seq: u64,
}

/// Takes up to `limit` unsent rows for this relay, so that two relays don't send the same.
pub(crate) struct Claim<'a> {
    pub(crate) by: &'a str,
    pub(crate) limit: u32,
}

impl Operation for Claim<'_> {
    type Output = Vec<SignTask>;

    async fn run(&self, db: &mut MySqlConnection) -> Result<Vec<SignTask>, StoreError> {
        let now = now_ms();
        let waiting =
            sqlx::query("SELECT 1 FROM outbox WHERE done_ms IS NULL AND sent_ms IS NULL LIMIT 1")
                .fetch_optional(&mut *db)
                .await?;
        if waiting.is_none() {
            return Ok(Vec::new());
        }
        sqlx::query(
            "UPDATE outbox SET claimed_by = ?, claimed_until_ms = ?
             WHERE done_ms IS NULL AND sent_ms IS NULL AND claimed_until_ms < ?
             ORDER BY id LIMIT ?",
        )
        .bind(self.by)
        .bind(now + CLAIM_MS)
        .bind(now)
        .bind(self.limit)
        .execute(&mut *db)
        .await?;
        let rows = sqlx::query(
            "SELECT id, employee, month, through_seq FROM outbox
             WHERE done_ms IS NULL AND sent_ms IS NULL AND claimed_by = ? AND claimed_until_ms > ?
             ORDER BY id",
        )
        .bind(self.by)
        .bind(now)
        .fetch_all(&mut *db)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(SignTask {
                    outbox: row.try_get(0)?,
                    employee: row.try_get(1)?,
                    month: row.try_get(2)?,
                    through_seq: row.try_get(3)?,
                })
            })
            .collect()
    }
}

/// The broker confirmed it.
pub(crate) struct MarkSent(pub(crate) u64);

impl Operation for MarkSent {
    type Output = ();

    async fn run(&self, db: &mut MySqlConnection) -> Result<(), StoreError> {
        sqlx::query("UPDATE outbox SET sent_ms = ?, sends = sends + 1 WHERE id = ?")
            .bind(now_ms())
            .bind(self.0)
            .execute(&mut *db)
            .await?;
        Ok(())
    }
}

/// The broker did not take it: let it be claimed again at once.
pub(crate) struct Release<'a>(pub(crate) &'a str);

impl Operation for Release<'_> {
    type Output = ();

    async fn run(&self, db: &mut MySqlConnection) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE outbox SET claimed_until_ms = 0 WHERE sent_ms IS NULL AND claimed_by = ?",
        )
        .bind(self.0)
        .execute(&mut *db)
        .await?;
        Ok(())
    }
}

/// Only for when the queue is empty: what was sent long ago and is not done went down with a broker's disk.
/// It is sent again, each time after a longer wait.
pub(crate) struct SendLostAgain;

impl Operation for SendLostAgain {
    type Output = u64;

    async fn run(&self, db: &mut MySqlConnection) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE outbox SET sent_ms = NULL, claimed_until_ms = 0
             WHERE done_ms IS NULL AND sent_ms < ? - ? * LEAST(sends, 30)",
        )
        .bind(now_ms())
        .bind(OVERDUE_MS)
        .execute(&mut *db)
        .await?;
        Ok(done.rows_affected())
    }
}

pub(crate) struct Prune;

impl Operation for Prune {
    type Output = ();

    async fn run(&self, db: &mut MySqlConnection) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM outbox WHERE done_ms < ? LIMIT 1000")
            .bind(now_ms() - KEEP_MS)
            .execute(&mut *db)
            .await?;
        Ok(())
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Depth {
    pub(crate) unsent: u64,
    pub(crate) undone: u64,
    /// Age of the oldest row that is not done; 0 without one.
    pub(crate) oldest_ms: i64,
}

pub(crate) struct ReadDepth;

impl Operation for ReadDepth {
    type Output = Depth;

    async fn run(&self, db: &mut MySqlConnection) -> Result<Depth, StoreError> {
        let row = sqlx::query(
            "SELECT CAST(COALESCE(SUM(sent_ms IS NULL), 0) AS UNSIGNED), CAST(COUNT(*) AS UNSIGNED),
                    MIN(created_ms)
             FROM outbox WHERE done_ms IS NULL",
        )
        .fetch_one(&mut *db)
        .await?;
        let oldest: Option<i64> = row.try_get(2)?;
        Ok(Depth {
            unsent: row.try_get(0)?,
            undone: row.try_get(1)?,
            oldest_ms: oldest.map_or(0, |created| (now_ms() - created).max(0)),
        })
    }
}
