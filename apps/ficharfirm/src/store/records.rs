//! Appending a record: a punch, or a correction of one. Nothing here updates or deletes a record.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, MySqlConnection, Row as _, mysql::MySqlRow};

use super::{Operation, StoreError, duplicate};
use crate::{
    chain::{Link, id_hash},
    keys::{EmployeeKey, Keyring},
    month::Month,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    In,
    Out,
    /// Only a correction: the corrected record should not have been.
    Void,
}

/// What is sealed under the employee's key. Short names: this is stored with every record.
#[derive(Debug, Serialize, Deserialize)]
struct Content<'a> {
    i: Cow<'a, str>,
    k: Kind,
    /// When it was recorded, milliseconds since 1970 UTC.
    t: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    c: Option<Correction<'a>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Correction<'a> {
    /// The record that is corrected; none where one was missing.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub(crate) corrects: Option<u64>,
    /// The time that should have been recorded, milliseconds since 1970 UTC.
    #[serde(rename = "a")]
    pub(crate) at_ms: i64,
    #[serde(rename = "r")]
    pub(crate) reason: Cow<'a, str>,
}

/// A record as its owner sees it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) seq: u64,
    pub(crate) kind: Kind,
    #[serde(serialize_with = "rfc3339")]
    pub(crate) recorded_at: i64,
    pub(crate) hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) corrects: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_option")]
    pub(crate) at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// RFC 3339 in UTC, always with milliseconds, so that times sort as text.
pub(crate) fn time_text(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde prescribes the signature")]
fn rfc3339<S: serde::Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time_text(*ms))
}

#[expect(clippy::ref_option, reason = "serde prescribes the signature")]
fn rfc3339_option<S: serde::Serializer>(ms: &Option<i64>, s: S) -> Result<S::Ok, S::Error> {
    match ms {
        Some(ms) => s.serialize_str(&time_text(*ms)),
        None => s.serialize_none(),
    }
}

pub(crate) struct Append<'a> {
    pub(crate) keys: &'a Keyring,
    pub(crate) employee: &'a str,
    pub(crate) id: &'a str,
    pub(crate) kind: Kind,
    pub(crate) correction: Option<Correction<'a>>,
}

pub(crate) struct Appended {
    pub(crate) record: Record,
    /// False where the same id had been recorded before.
    pub(crate) created: bool,
}

impl Operation for Append<'_> {
    type Output = Appended;

    async fn run(&self, db: &mut MySqlConnection) -> Result<Appended, StoreError> {
        match self.insert(db).await {
            Err(StoreError::Sql(error)) if duplicate(&error) => self.existing(db).await,
            other => other,
        }
    }
}

impl Append<'_> {
    async fn insert(&self, db: &mut MySqlConnection) -> Result<Appended, StoreError> {
        let mut transaction = db.begin().await?;
        // The lock on the employee's row puts that employee's records in order, whichever process writes them.
        let row = sqlx::query(
            "SELECT key_wrapped, head_seq, head_hash FROM employees WHERE id = ? FOR UPDATE",
        )
        .bind(self.employee)
        .fetch_optional(&mut *transaction)
        .await?
        .ok_or(StoreError::UnknownEmployee)?;
        let wrapped: Option<Vec<u8>> = row.try_get(0)?;
        let key = self.keys.unwrap_key(self.employee, &wrapped.ok_or(StoreError::Erased)?)?;
        let head: u64 = row.try_get(1)?;
        let previous: Vec<u8> = row.try_get(2)?;
        if let Some(corrects) = self.correction.as_ref().and_then(|c| c.corrects)
            && (corrects == 0 || corrects > head)
        {
            return Err(StoreError::NoSuchRecord(corrects));
        }

        let record = self.record(head + 1);
        let month = self.month(record.recorded_at).number();
        let id_hash = id_hash(self.id);
        let mut link = Link {
            previous: &previous,
            seq: record.seq,
            employee: self.employee,
            month,
            id_hash: &id_hash,
            nonce: &[],
            ciphertext: &[],
        };
        let sealed = key.seal(&link.aad(), &self.content(record.recorded_at)?)?;
        link.nonce = &sealed.nonce;
        link.ciphertext = &sealed.ciphertext;
        let hash = link.hash();

        sqlx::query(
            "INSERT INTO records (employee, seq, month, id_hash, nonce, ciphertext, previous, hash)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(self.employee)
        .bind(record.seq)
        .bind(month)
        .bind(id_hash.as_slice())
        .bind(sealed.nonce.as_slice())
        .bind(&sealed.ciphertext)
        .bind(&previous)
        .bind(hash.as_slice())
        .execute(&mut *transaction)
        .await?;
        sqlx::query("UPDATE employees SET head_seq = ?, head_hash = ? WHERE id = ?")
            .bind(record.seq)
            .bind(hash.as_slice())
            .bind(self.employee)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Appended { record: Record { hash: hex::encode(hash), ..record }, created: true })
    }

    fn record(&self, seq: u64) -> Record {
        Record {
            id: self.id.into(),
            seq,
            kind: self.kind,
            recorded_at: super::now_ms(),
            hash: String::new(),
            corrects: self.correction.as_ref().and_then(|c| c.corrects),
            at: self.correction.as_ref().map(|c| c.at_ms),
            reason: self.correction.as_ref().map(|c| c.reason.clone().into_owned()),
        }
    }

    /// A correction belongs to the month that it corrects, whenever it is made.
    fn month(&self, recorded_ms: i64) -> Month {
        let ms = self.correction.as_ref().map_or(recorded_ms, |c| c.at_ms);
        Month::of(Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    fn content(&self, recorded_ms: i64) -> Result<Vec<u8>, StoreError> {
        let content =
            Content { i: self.id.into(), k: self.kind, t: recorded_ms, c: self.correction.clone() };
        serde_json::to_vec(&content).map_err(|_| StoreError::Malformed)
    }

    async fn existing(&self, db: &mut MySqlConnection) -> Result<Appended, StoreError> {
        let row = sqlx::query(
            "SELECT r.seq, r.month, r.id_hash, r.nonce, r.ciphertext, r.previous, r.hash,
                    r.employee, e.key_wrapped
             FROM records r JOIN employees e ON e.id = r.employee WHERE r.id_hash = ?",
        )
        .bind(id_hash(self.id).as_slice())
        .fetch_one(&mut *db)
        .await?;
        let owner: String = row.try_get(7)?;
        if owner != self.employee {
            return Err(StoreError::IdTaken);
        }
        let wrapped: Option<Vec<u8>> = row.try_get(8)?;
        let key = self.keys.unwrap_key(self.employee, &wrapped.ok_or(StoreError::Erased)?)?;
        Ok(Appended { record: open(&row, self.employee, &key)?, created: false })
    }
}

/// Columns in the order of [`open`]: seq, month, id_hash, nonce, ciphertext, previous, hash.
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) month: u32,
    pub(crate) id_hash: Vec<u8>,
    pub(crate) nonce: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) previous: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

impl Stored {
    pub(crate) fn from_row(row: &MySqlRow) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.try_get(0)?,
            month: row.try_get(1)?,
            id_hash: row.try_get(2)?,
            nonce: row.try_get(3)?,
            ciphertext: row.try_get(4)?,
            previous: row.try_get(5)?,
            hash: row.try_get(6)?,
        })
    }

    pub(crate) fn link<'a>(&'a self, employee: &'a str) -> Link<'a> {
        Link {
            previous: &self.previous,
            seq: self.seq,
            employee,
            month: self.month,
            id_hash: &self.id_hash,
            nonce: &self.nonce,
            ciphertext: &self.ciphertext,
        }
    }
}

/// Reads a stored record with its owner's key.
pub(crate) fn open(row: &MySqlRow, e: &str, key: &EmployeeKey) -> Result<Record, StoreError> {
    let stored = Stored::from_row(row)?;
    let plain = key.open(&stored.nonce, &stored.link(e).aad(), &stored.ciphertext)?;
    let content: Content<'_> = serde_json::from_slice(&plain).map_err(|_| StoreError::Malformed)?;
    Ok(Record {
        id: content.i.into_owned(),
        seq: stored.seq,
        kind: content.k,
        recorded_at: content.t,
        hash: hex::encode(&stored.hash),
        corrects: content.c.as_ref().and_then(|c| c.corrects),
        at: content.c.as_ref().map(|c| c.at_ms),
        reason: content.c.map(|c| c.reason.into_owned()),
    })
}
