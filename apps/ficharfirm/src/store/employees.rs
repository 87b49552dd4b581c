//! Employees: added, looked up to sign in, erased, their keys wrapped anew.

use futures_util::TryStreamExt as _;
use sqlx::{Connection as _, MySqlConnection, QueryBuilder, Row as _};

use super::{
    Operation, StoreError, now_ms,
    records::{Kind, open},
};
use crate::{
    chain::GENESIS,
    keys::{KeyError, Keyring},
    pin::Verifier,
};

pub(crate) struct NewEmployee {
    pub(crate) id: String,
    key_wrapped: Vec<u8>,
    pin_nonce: Vec<u8>,
    pin_sealed: Vec<u8>,
}

impl NewEmployee {
    /// The PIN's verifier is sealed under the employee's key: a stolen table can't be searched for PINs, and
    /// erasing the key erases it too.
    pub(crate) fn new(keys: &Keyring, id: String, verifier: &Verifier) -> Result<Self, KeyError> {
        let (key, key_wrapped) = keys.new_employee_key(&id)?;
        let sealed = key.seal(&pin_aad(&id), verifier.as_bytes())?;
        Ok(Self {
            id,
            key_wrapped,
            pin_nonce: sealed.nonce.to_vec(),
            pin_sealed: sealed.ciphertext,
        })
    }
}

fn pin_aad(id: &str) -> Vec<u8> {
    [b"pin\0", id.as_bytes()].concat()
}

/// Takes `0` numbers that no other employee will ever have; gives the last.
pub(crate) struct Reserve(pub(crate) u64);

impl Operation for Reserve {
    type Output = u64;

    async fn run(&self, db: &mut MySqlConnection) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE counters SET value = LAST_INSERT_ID(value + ?) WHERE name = 'employee'",
        )
        .bind(self.0)
        .execute(&mut *db)
        .await?;
        Ok(done.last_insert_id())
    }
}

pub(crate) struct Insert<'a>(pub(crate) &'a [NewEmployee]);

impl Operation for Insert<'_> {
    type Output = ();

    async fn run(&self, db: &mut MySqlConnection) -> Result<(), StoreError> {
        // IGNORE: a second try after a lost answer finds its own rows.
        let mut query = QueryBuilder::new(
            "INSERT IGNORE INTO employees
             (id, key_wrapped, pin_nonce, pin_sealed, head_hash, created_ms) ",
        );
        let now = now_ms();
        query.push_values(self.0, |mut row, employee| {
            row.push_bind(&employee.id)
                .push_bind(&employee.key_wrapped)
                .push_bind(&employee.pin_nonce)
                .push_bind(&employee.pin_sealed)
                .push_bind(GENESIS.as_slice())
                .push_bind(now);
        });
        query.build().persistent(false).execute(&mut *db).await?;
        Ok(())
    }
}

/// What a PIN is checked against; nothing for unknown and erased employees alike.
pub(crate) struct FindVerifier<'a> {
    pub(crate) keys: &'a Keyring,
    pub(crate) employee: &'a str,
}

impl Operation for FindVerifier<'_> {
    type Output = Option<Verifier>;

    async fn run(&self, db: &mut MySqlConnection) -> Result<Option<Verifier>, StoreError> {
        let row = sqlx::query(
            "SELECT key_wrapped, pin_nonce, pin_sealed FROM employees
             WHERE id = ? AND key_wrapped IS NOT NULL",
        )
        .bind(self.employee)
        .fetch_optional(&mut *db)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let wrapped: Vec<u8> = row.try_get(0)?;
        let nonce: Vec<u8> = row.try_get(1)?;
        let sealed: Vec<u8> = row.try_get(2)?;
        let key = self.keys.unwrap_key(self.employee, &wrapped)?;
        let raw = key.open(&nonce, &pin_aad(self.employee), &sealed)?;
        Ok(Some(Verifier::from_bytes(raw).ok_or(StoreError::Malformed)?))
    }
}

/// In or out, and since when: the newest record that is a punch.
pub(crate) struct ReadStatus<'a> {
    pub(crate) keys: &'a Keyring,
    pub(crate) employee: &'a str,
}

impl Operation for ReadStatus<'_> {
    /// Kind, milliseconds since 1970, number of the record.
    type Output = Option<(Kind, i64, u64)>;

    async fn run(&self, db: &mut MySqlConnection) -> Result<Self::Output, StoreError> {
        let key = super::sheets::employee_key(db, self.keys, self.employee).await?;
        // Corrections say nothing about now; a few of them may follow the last punch.
        let mut rows = sqlx::query(
            "SELECT seq, month, id_hash, nonce, ciphertext, previous, hash FROM records
             WHERE employee = ? ORDER BY seq DESC LIMIT 50",
        )
        .bind(self.employee)
        .fetch(&mut *db);
        while let Some(row) = rows.try_next().await? {
            let record = open(&row, self.employee, &key)?;
            if record.at.is_none() {
                return Ok(Some((record.kind, record.recorded_at, record.seq)));
            }
        }
        Ok(None)
    }
}

/// Destroys an employee's key and PIN. The records stay, unreadable; the chain still verifies.
pub(crate) struct Erase<'a>(pub(crate) &'a str);

impl Operation for Erase<'_> {
    /// When it was erased (milliseconds since 1970) and how many records became unreadable.
    type Output = (i64, u64);

    async fn run(&self, db: &mut MySqlConnection) -> Result<(i64, u64), StoreError> {
        let mut transaction = db.begin().await?;
        sqlx::query(
            "UPDATE employees SET key_wrapped = NULL, pin_nonce = NULL, pin_sealed = NULL,
                    erased_ms = COALESCE(erased_ms, ?) WHERE id = ?",
        )
        .bind(now_ms())
        .bind(self.0)
        .execute(&mut *transaction)
        .await?;
        let row = sqlx::query("SELECT erased_ms, head_seq FROM employees WHERE id = ?")
            .bind(self.0)
            .fetch_optional(&mut *transaction)
            .await?
            .ok_or(StoreError::UnknownEmployee)?;
        transaction.commit().await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }
}

pub(crate) struct ReadErased;

impl Operation for ReadErased {
    type Output = Vec<String>;

    async fn run(&self, db: &mut MySqlConnection) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("SELECT id FROM employees WHERE erased_ms IS NOT NULL")
            .fetch_all(&mut *db)
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

/// Wraps the keys of up to 200 employees after `after` under the current SESSION_KEY.
pub(crate) struct Rewrap<'a> {
    pub(crate) keys: &'a Keyring,
    pub(crate) after: &'a str,
}

impl Operation for Rewrap<'_> {
    /// The last employee looked at, and how many keys were wrapped anew; nothing at the end.
    type Output = Option<(String, u64)>;

    async fn run(&self, db: &mut MySqlConnection) -> Result<Self::Output, StoreError> {
        let mut transaction = db.begin().await?;
        let rows = sqlx::query(
            "SELECT id, key_wrapped FROM employees WHERE id > ? AND key_wrapped IS NOT NULL
             ORDER BY id LIMIT 200 FOR UPDATE",
        )
        .bind(self.after)
        .fetch_all(&mut *transaction)
        .await?;
        let mut done = None;
        let mut changed = 0;
        for row in &rows {
            let id: String = row.try_get(0)?;
            let wrapped: Vec<u8> = row.try_get(1)?;
            if let Some(new) = self.keys.rewrap(&id, &wrapped)? {
                sqlx::query("UPDATE employees SET key_wrapped = ? WHERE id = ?")
                    .bind(new)
                    .bind(&id)
                    .execute(&mut *transaction)
                    .await?;
                changed += 1;
            }
            done = Some((id, changed));
        }
        transaction.commit().await?;
        Ok(done)
    }
}
