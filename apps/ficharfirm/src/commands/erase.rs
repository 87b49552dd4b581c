//! `erase` and `rewrap`: ending keys, and moving them under another secret.

use std::{process::ExitCode, time::Duration};

use serde_json::json;

use super::CommandError;
use crate::{
    cache::Cache,
    config::{Redis, exports},
    export, output,
    store::{
        StoreError,
        employees::{Erase, Rewrap},
        records::time_text,
    },
};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(employee: &str) -> Result<ExitCode, CommandError> {
    let store = super::store()?;
    let (erased_ms, records) = match store.run_within(PATIENCE, PATIENCE, Erase(employee)).await {
        Err(StoreError::UnknownEmployee) => {
            return Err(CommandError::NoEmployee(employee.into()));
        }
        other => other?,
    };
    export::remove_erased(&exports(), &store).await;
    // The status in Redis goes by itself within a day.
    let cache = match Redis::from_env() {
        Ok(redis) => Cache::new(&redis)?.forget_status(employee).await,
        Err(_) => false,
    };
    output::json(&json!({
        "employee": employee,
        "erased_at": time_text(erased_ms),
        "records_unreadable": records,
        "cache_cleared": cache,
        "complete_when": "backups from before this moment, which hold the key, have expired",
    }))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn rewrap() -> Result<ExitCode, CommandError> {
    let store = super::store()?;
    let (mut after, mut total) = (String::new(), 0);
    loop {
        let rewrap = Rewrap { keys: &store.keys, after: &after };
        let Some((last, changed)) = store.run_within(PATIENCE, PATIENCE, rewrap).await? else {
            break;
        };
        after = last;
        total += changed;
    }
    output::json(&json!({"rewrapped": total}))?;
    Ok(ExitCode::SUCCESS)
}
