//! Heartbeats of workers: they have no port, so the web processes tell their state.

use sqlx::{MySqlConnection, Row as _};

use super::{Operation, StoreError, now_ms};

/// A worker beats every 5 s; after three missed it counts as gone.
const ALIVE_MS: i64 = 16_000;
const FORGET_MS: i64 = 24 * 3_600_000;

pub(crate) struct Beat<'a> {
    pub(crate) id: &'a str,
    pub(crate) release: &'a str,
    pub(crate) started_ms: i64,
    pub(crate) signed: u64,
}

impl Operation for Beat<'_> {
    type Output = ();

    async fn run(&self, db: &mut MySqlConnection) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO workers (id, app_release, started_ms, beat_ms, signed) VALUES (?, ?, ?, ?, ?)
             ON DUPLICATE KEY UPDATE beat_ms = VALUES(beat_ms), signed = VALUES(signed)",
        )
        .bind(self.id)
        .bind(self.release)
        .bind(self.started_ms)
        .bind(now_ms())
        .bind(self.signed)
        .execute(&mut *db)
        .await?;
        Ok(())
    }
}

/// A worker that stops orderly takes its row with it; rows of the killed go after a day.
pub(crate) struct Leave<'a>(pub(crate) &'a str);

impl Operation for Leave<'_> {
    type Output = ();

    async fn run(&self, db: &mut MySqlConnection) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM workers WHERE id = ? OR beat_ms < ?")
            .bind(self.0)
            .bind(now_ms() - FORGET_MS)
            .execute(&mut *db)
            .await?;
        Ok(())
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Workers {
    pub(crate) alive: u64,
    /// Since the newest beat of any worker; -1 when there never was one.
    pub(crate) newest_beat_ms: i64,
}

pub(crate) struct ReadWorkers;

impl Operation for ReadWorkers {
    type Output = Workers;

    async fn run(&self, db: &mut MySqlConnection) -> Result<Workers, StoreError> {
        let now = now_ms();
        let row = sqlx::query(
            "SELECT CAST(COALESCE(SUM(beat_ms > ?), 0) AS UNSIGNED), MAX(beat_ms) FROM workers",
        )
        .bind(now - ALIVE_MS)
        .fetch_one(&mut *db)
        .await?;
        let newest: Option<i64> = row.try_get(1)?;
        Ok(Workers {
            alive: row.try_get(0)?,
            newest_beat_ms: newest.map_or(-1, |beat| (now - beat).max(0)),
        })
    }
}
