//! Signing a month: what a worker does with a message. Doing it twice does it once.

use futures_util::TryStreamExt as _;
use sqlx::{Connection as _, MySqlConnection, Row as _};

use super::{Operation, StoreError, outbox::SignTask, records::Stored};
use crate::{chain::Hash, chain::MonthDigest, keys::Keyring};

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Signed,
    /// Someone else was quicker, or the message came twice.
    Already,
    /// The employee is gone; nothing is left to sign.
    Erased,
    /// A record below the signature does not verify: such a month is never signed.
    Broken(u64),
}

pub(crate) struct Sign<'a> {
    pub(crate) keys: &'a Keyring,
    pub(crate) task: &'a SignTask,
}

impl Operation for Sign<'_> {
    type Output = Outcome;

    async fn run(&self, db: &mut MySqlConnection) -> Result<Outcome, StoreError> {
        let mut transaction = db.begin().await?;
        let outcome = self.sign(&mut transaction).await?;
        let error = match outcome {
            Outcome::Broken(seq) => Some(format!("record {seq} does not verify")),
            _ => None,
        };
        sqlx::query("UPDATE outbox SET done_ms = ?, error = ? WHERE id = ? AND done_ms IS NULL")
            .bind(super::now_ms())
            .bind(error)
            .bind(self.task.outbox)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(outcome)
    }
}

impl Sign<'_> {
    async fn sign(&self, db: &mut MySqlConnection) -> Result<Outcome, StoreError> {
        let SignTask { employee, month, through_seq, .. } = self.task;
        let row = sqlx::query("SELECT key_wrapped IS NULL FROM employees WHERE id = ?")
            .bind(employee)
            .fetch_optional(&mut *db)
            .await?;
        if row.map(|r| r.try_get::<bool, _>(0)).transpose()?.unwrap_or(true) {
            return Ok(Outcome::Erased);
        }
        let (digest, records) = match self.digest(db).await? {
            Ok(digest) => digest,
            Err(seq) => return Ok(Outcome::Broken(seq)),
        };
        let done = sqlx::query(
            "INSERT IGNORE INTO signatures
             (employee, month, through_seq, records, digest, signer, signature, signed_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(employee)
        .bind(month)
        .bind(through_seq)
        .bind(records)
        .bind(digest.as_slice())
        .bind(self.keys.signer())
        .bind(self.keys.sign_month(&digest))
        .bind(super::now_ms())
        .execute(&mut *db)
        .await?;
        Ok(if done.rows_affected() == 1 { Outcome::Signed } else { Outcome::Already })
    }

    /// The month's digest, or the number of the first record that does not verify.
    async fn digest(
        &self,
        db: &mut MySqlConnection,
    ) -> Result<Result<(Hash, u64), u64>, StoreError> {
        let SignTask { employee, month, through_seq, .. } = self.task;
        let mut digest = MonthDigest::new(employee, *month, *through_seq);
        let mut rows = sqlx::query(
            "SELECT seq, month, id_hash, nonce, ciphertext, previous, hash FROM records
             WHERE employee = ? AND month = ? AND seq <= ? ORDER BY seq",
        )
        .bind(employee)
        .bind(month)
        .bind(through_seq)
        .fetch(&mut *db);
        while let Some(row) = rows.try_next().await? {
            let stored = Stored::from_row(&row)?;
            if stored.link(employee).hash().as_slice() != stored.hash {
                return Ok(Err(stored.seq));
            }
            digest.add(stored.seq, &stored.hash);
        }
        let records = digest.records;
        Ok(Ok((digest.finish(), records)))
    }
}
