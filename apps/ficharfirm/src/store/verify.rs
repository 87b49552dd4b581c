//! Verifying every chain and every signature, record by record: memory does not grow with the records.

use futures_util::TryStreamExt as _;
use serde::Serialize;
use sqlx::{Connection as _, MySqlConnection, MySqlPool, Row as _};

use super::{StoreError, records::Stored};
use crate::{
    chain::{MonthDigest, Walk},
    keys::month_signature_valid,
};

#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) employees: u64,
    pub(crate) records: u64,
    pub(crate) signatures: u64,
    pub(crate) breaks: u64,
}

/// One place where something does not hold.
pub(crate) struct Break {
    pub(crate) employee: String,
    pub(crate) what: String,
}

/// Walks everything; `on_break` hears of each place as it is found.
pub(crate) async fn verify(
    pool: &MySqlPool,
    mut on_break: impl FnMut(Break),
) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut db = super::reach(pool).await?;
    let mut after = String::new();
    loop {
        let ids: Vec<String> =
            sqlx::query("SELECT id FROM employees WHERE id > ? ORDER BY id LIMIT 500")
                .bind(&after)
                .fetch_all(&mut *db)
                .await?
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<_, _>>()?;
        let Some(last) = ids.last() else { break };
        after.clone_from(last);
        for id in &ids {
            report.employees += 1;
            employee(&mut db, id, &mut report, &mut on_break).await?;
        }
    }
    let orphans = sqlx::query(
        "SELECT CAST(COUNT(*) AS UNSIGNED) FROM records r
         WHERE NOT EXISTS (SELECT 1 FROM employees e WHERE e.id = r.employee)",
    )
    .fetch_one(&mut *db)
    .await?
    .try_get::<u64, _>(0)?;
    if orphans > 0 {
        report.breaks += 1;
        on_break(Break { employee: "-".into(), what: format!("{orphans} records of nobody") });
    }
    Ok(report)
}

struct MonthCheck {
    month: u32,
    through: u64,
    records: u64,
    digest: Vec<u8>,
    signer: Vec<u8>,
    signature: Vec<u8>,
    found: MonthDigest,
}

async fn employee(
    db: &mut MySqlConnection,
    id: &str,
    report: &mut Report,
    on_break: &mut impl FnMut(Break),
) -> Result<(), StoreError> {
    // One snapshot: punches that come in meanwhile are neither in the head nor among the records.
    let mut snapshot = db.begin().await?;
    let head = sqlx::query("SELECT head_seq, head_hash FROM employees WHERE id = ?")
        .bind(id)
        .fetch_one(&mut *snapshot)
        .await?;
    let (head_seq, head_hash): (u64, Vec<u8>) = (head.try_get(0)?, head.try_get(1)?);
    let mut months = signatures(&mut snapshot, id).await?;
    let mut walk = Walk::new();
    let mut bad = |what: String| on_break(Break { employee: id.into(), what });
    {
        let mut rows = sqlx::query(
            "SELECT seq, month, id_hash, nonce, ciphertext, previous, hash FROM records
             WHERE employee = ? ORDER BY seq",
        )
        .bind(id)
        .fetch(&mut *snapshot);
        while let Some(row) = rows.try_next().await? {
            let stored = Stored::from_row(&row)?;
            report.records += 1;
            if !walk.step(&stored.link(id), &stored.hash) {
                bad(format!("the chain breaks at record {}", stored.seq));
            }
            for check in &mut months {
                if check.month == stored.month && stored.seq <= check.through {
                    check.found.add(stored.seq, &stored.hash);
                }
            }
        }
    }
    snapshot.commit().await?;
    let before = walk.breaks;
    let breaks = walk.finish(head_seq, &head_hash);
    if breaks > before {
        bad(format!("the records do not end at record {head_seq}, as they should"));
    }
    report.breaks += breaks;
    for check in months {
        report.signatures += 1;
        let valid = month_signature_valid(&check.signer, &check.digest, &check.signature)
            && check.found.records == check.records
            && check.found.finish().as_slice() == check.digest;
        if !valid {
            report.breaks += 1;
            bad(format!("the signature of month {} does not hold", check.month));
        }
    }
    Ok(())
}

async fn signatures(db: &mut MySqlConnection, id: &str) -> Result<Vec<MonthCheck>, StoreError> {
    let rows = sqlx::query(
        "SELECT month, through_seq, records, digest, signer, signature FROM signatures
         WHERE employee = ?",
    )
    .bind(id)
    .fetch_all(&mut *db)
    .await?;
    rows.iter()
        .map(|row| {
            let (month, through) = (row.try_get(0)?, row.try_get(1)?);
            Ok(MonthCheck {
                month,
                through,
                records: row.try_get(2)?,
                digest: row.try_get(3)?,
                signer: row.try_get(4)?,
                signature: row.try_get(5)?,
                found: MonthDigest::new(id, month, through),
            })
        })
        .collect()
}
