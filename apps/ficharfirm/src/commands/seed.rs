//! `seed`: employees with random PINs, printed once; afterwards nobody knows them but their verifiers.

use std::{process::ExitCode, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::CommandError;
use crate::{
    keys::Keyring,
    output,
    pin::{self, Verifier},
    store::employees::{Insert, NewEmployee, Reserve},
};

/// Printed as soon as they are stored, so that a long run that breaks off has not been for nothing.
const BATCH: u64 = 100;
/// A command can wait out a fail-over that a request can't.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(employees: u64) -> Result<ExitCode, CommandError> {
    let store = super::store()?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut left = employees;
    while left > 0 {
        let count = left.min(BATCH);
        // A number lost to a try that was answered too late is only a gap.
        let last = store.run_within(PATIENCE, PATIENCE, Reserve(count)).await?;
        let numbers = (last + 1).saturating_sub(count)..=last;
        let mut making = stream::iter(numbers)
            .map(|number| {
                let keys = Arc::clone(&store.keys);
                tokio::task::spawn_blocking(move || one(&keys, number))
            })
            .buffered(threads);
        let (mut rows, mut pins) = (Vec::new(), Vec::new());
        while let Some(made) = making.next().await {
            let (row, pin) = made??;
            rows.push(row);
            pins.push(pin);
        }
        store.run_within(PATIENCE, PATIENCE, Insert(&rows)).await?;
        for (row, pin) in rows.iter().zip(pins) {
            output::json(&json!({"employee": row.id, "pin": pin}))?;
        }
        left -= count;
    }
    Ok(ExitCode::SUCCESS)
}

fn one(keys: &Keyring, number: u64) -> Result<(NewEmployee, String), CommandError> {
    let pin = pin::fresh()?;
    let employee = NewEmployee::new(keys, format!("E{number:05}"), &Verifier::new(&pin)?)?;
    Ok((employee, pin))
}
