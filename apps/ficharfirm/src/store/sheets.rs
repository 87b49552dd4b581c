//! Reading a month, and asking for its signature.

use futures_util::TryStreamExt as _;
use serde::Serialize;
use sqlx::{Connection as _, MySqlConnection, Row as _};

use super::{
    Operation, StoreError,
    records::{Record, open, time_text},
};
use crate::{keys::EmployeeKey, keys::Keyring, month::Month};

#[derive(Debug, Serialize)]
pub(crate) struct Sheet {
    pub(crate) employee: String,
    pub(crate) month: String,
    pub(crate) records: Vec<Record>,
    pub(crate) signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<Signature>,
    /// Records of this month that came after the signature, so that it doesn't cover them.
    pub(crate) after_signature: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct Signature {
    pub(crate) signed_at: String,
    pub(crate) through_seq: u64,
    pub(crate) records: u64,
    pub(crate) digest: String,
    /// Ed25519, over the digest's 32 bytes.
    pub(crate) signer: String,
    pub(crate) signature: String,
}

pub(crate) struct ReadSheet<'a> {
    pub(crate) keys: &'a Keyring,
    pub(crate) employee: &'a str,
    pub(crate) month: Month,
}

impl Operation for ReadSheet<'_> {
    type Output = Sheet;

    async fn run(&self, db: &mut MySqlConnection) -> Result<Sheet, StoreError> {
        let key = employee_key(db, self.keys, self.employee).await?;
        let mut records = Vec::new();
        {
            let mut rows = sqlx::query(
                "SELECT seq, month, id_hash, nonce, ciphertext, previous, hash FROM records
                 WHERE employee = ? AND month = ? ORDER BY seq",
            )
            .bind(self.employee)
            .bind(self.month.number())
            .fetch(&mut *db);
            while let Some(row) = rows.try_next().await? {
                records.push(open(&row, self.employee, &key)?);
            }
        }
        let signature = latest_signature(db, self.employee, self.month).await?;
        let through = signature.as_ref().map_or(0, |s| s.through_seq);
        let after = records.iter().filter(|r| signature.is_some() && r.seq > through).count();
        Ok(Sheet {
            employee: self.employee.into(),
            month: self.month.to_string(),
            records,
            signed: signature.is_some(),
            signature,
            after_signature: after,
        })
    }
}

pub(crate) async fn employee_key(
    db: &mut MySqlConnection,
    keys: &Keyring,
    employee: &str,
) -> Result<EmployeeKey, StoreError> {
    let row = sqlx::query("SELECT key_wrapped FROM employees WHERE id = ?")
        .bind(employee)
        .fetch_optional(&mut *db)
        .await?
        .ok_or(StoreError::UnknownEmployee)?;
    let wrapped: Option<Vec<u8>> = row.try_get(0)?;
    Ok(keys.unwrap_key(employee, &wrapped.ok_or(StoreError::Erased)?)?)
}

async fn latest_signature(
    db: &mut MySqlConnection,
    employee: &str,
    month: Month,
) -> Result<Option<Signature>, StoreError> {
    let row = sqlx::query(
        "SELECT signed_ms, through_seq, records, digest, signer, signature FROM signatures
         WHERE employee = ? AND month = ? ORDER BY through_seq DESC LIMIT 1",
    )
    .bind(employee)
    .bind(month.number())
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Signature {
        signed_at: time_text(row.try_get(0)?),
        through_seq: row.try_get(1)?,
        records: row.try_get(2)?,
        digest: hex::encode(row.try_get::<Vec<u8>, _>(3)?),
        signer: hex::encode(row.try_get::<Vec<u8>, _>(4)?),
        signature: hex::encode(row.try_get::<Vec<u8>, _>(5)?),
    }))
}

/// Puts the wish for a signature into the outbox, for what the month holds now. Nothing is put where a
/// signature covers it already.
pub(crate) struct RequestSignature<'a> {
    pub(crate) employee: &'a str,
    pub(crate) month: Month,
}

impl Operation for RequestSignature<'_> {
    /// True where everything is signed already.
    type Output = bool;

    async fn run(&self, db: &mut MySqlConnection) -> Result<bool, StoreError> {
        let mut transaction = db.begin().await?;
        let row = sqlx::query("SELECT key_wrapped IS NULL FROM employees WHERE id = ?")
            .bind(self.employee)
            .fetch_optional(&mut *transaction)
            .await?
            .ok_or(StoreError::UnknownEmployee)?;
        if row.try_get::<bool, _>(0)? {
            return Err(StoreError::Erased);
        }
        let row = sqlx::query(
            "SELECT CAST(COALESCE(MAX(seq), 0) AS UNSIGNED) FROM records
             WHERE employee = ? AND month = ?",
        )
        .bind(self.employee)
        .bind(self.month.number())
        .fetch_one(&mut *transaction)
        .await?;
        let through: u64 = row.try_get(0)?;
        let signed = sqlx::query(
            "SELECT 1 FROM signatures WHERE employee = ? AND month = ? AND through_seq >= ?",
        )
        .bind(self.employee)
        .bind(self.month.number())
        .bind(through)
        .fetch_optional(&mut *transaction)
        .await?;
        if signed.is_some() {
            return Ok(true);
        }
        sqlx::query(
            "INSERT INTO outbox (employee, month, through_seq, created_ms) VALUES (?, ?, ?, ?)",
        )
        .bind(self.employee)
        .bind(self.month.number())
        .bind(through)
        .bind(super::now_ms())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(false)
    }
}
