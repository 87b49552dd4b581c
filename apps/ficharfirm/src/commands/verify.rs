//! `verify`

use std::process::ExitCode;

use super::CommandError;
use crate::{config::Database, output, store, store::verify::verify};

pub(crate) async fn run(json: bool) -> Result<ExitCode, CommandError> {
    // No key is needed: that is the point of a chain over ciphertext.
    let pool = store::pool(&Database::from_env()?)?;
    let report = verify(&pool, |b| output::note(&format!("{}: {}", b.employee, b.what))).await?;
    if json {
        output::json(&report)?;
    } else {
        output::line(&format!(
            "{} employees, {} records, {} signatures, {} breaks",
            report.employees, report.records, report.signatures, report.breaks
        ))?;
    }
    Ok(if report.breaks == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
