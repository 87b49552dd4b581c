//! Signed months as files, for whoever must be shown them. They are readable, so they go when their employee
//! is erased: every worker removes what its folder still has.

use std::path::Path;

use serde::Serialize;

use crate::{
    causes::causes,
    month::Month,
    store::{
        Store, StoreError,
        employees::ReadErased,
        outbox::SignTask,
        sheets::{ReadSheet, Sheet},
    },
};

#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the file can't be written")]
    Io(#[from] std::io::Error),
    #[error("the sheet can't be spelled")]
    Json(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct File<'a> {
    v: u32,
    #[serde(flatten)]
    sheet: &'a Sheet,
}

/// Writes `E-YYYY-MM.json` where the folder is there. A copy only: that it fails is logged, no more.
pub(crate) async fn write(folder: &Path, store: &Store, task: &SignTask) {
    if tokio::fs::metadata(folder).await.is_err() {
        return;
    }
    if let Err(error) = try_write(folder, store, task).await {
        tracing::warn!(error = causes(&error), "the signed month was not exported");
    }
}

async fn try_write(folder: &Path, store: &Store, task: &SignTask) -> Result<(), ExportError> {
    let month = Month::from_number(task.month);
    let read = ReadSheet { keys: &store.keys, employee: &task.employee, month };
    let mut sheet = store.run(read).await?;
    // The file is what was signed, nothing later.
    let through = sheet.signature.as_ref().map_or(0, |s| s.through_seq);
    sheet.records.retain(|record| record.seq <= through);
    sheet.after_signature = 0;
    let text = serde_json::to_vec_pretty(&File { v: 1, sheet: &sheet })?;
    let path = folder.join(format!("{}-{month}.json", task.employee));
    let partial = folder.join(format!(".{}-{month}.{}", task.employee, task.outbox));
    tokio::fs::write(&partial, text).await?;
    tokio::fs::rename(&partial, &path).await?;
    Ok(())
}

/// Removes the files of erased employees from this machine's folder.
pub(crate) async fn remove_erased(folder: &Path, store: &Store) {
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return };
    let Ok(erased) = store.run(ReadErased).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|n| n.trim_start_matches('.').split('-').next());
        if owner.is_some_and(|owner| erased.iter().any(|e| e == owner))
            && let Err(error) = tokio::fs::remove_file(entry.path()).await
        {
            tracing::error!(%error, "the file of an erased employee could not be removed");
        }
    }
}
