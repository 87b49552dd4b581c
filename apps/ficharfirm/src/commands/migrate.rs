//! `migrate up|down|status`

use std::process::ExitCode;

use serde_json::json;

use super::CommandError;
use crate::{
    cli::Migrate,
    config::Database,
    output,
    store::{
        self,
        migrate::{Direction, applied, migrate},
        migrations::{MIGRATIONS, needed},
        records::time_text,
    },
};

pub(crate) async fn run(action: Migrate) -> Result<ExitCode, CommandError> {
    // Renewing the lease takes a second connection.
    let pool = store::pool(&Database::from_env()?)?;
    let direction = match action {
        Migrate::Up { to } => Direction::Up(to),
        Migrate::Down { to, data_loss } => Direction::Down { to, data_loss },
        Migrate::Status { json } => {
            status(&pool, json).await?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let up = matches!(direction, Direction::Up(_));
    let steps = migrate(&pool, direction).await?;
    for step in &steps {
        let way = if up { "up" } else { "down" };
        output::line(&format!("{way} {} {}", step.version, step.name))?;
    }
    if steps.is_empty() {
        output::line("nothing to do")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(pool: &sqlx::MySqlPool, as_json: bool) -> Result<(), CommandError> {
    let mut db = store::reach(pool).await?;
    let applied = applied(&mut db).await?;
    let time = |version: u32| {
        applied.iter().find(|a| a.version == version).map(|a| time_text(a.applied_ms))
    };
    if as_json {
        let migrations: Vec<_> = MIGRATIONS
            .iter()
            .map(|m| json!({"version": m.version, "name": m.name, "applied_at": time(m.version)}))
            .collect();
        let current = applied.iter().map(|a| a.version).max().unwrap_or(0);
        output::json(&json!({
            "current": current,
            "latest": needed(),
            "pending": MIGRATIONS.iter().filter(|m| time(m.version).is_none()).count(),
            "migrations": migrations,
        }))?;
        return Ok(());
    }
    for migration in MIGRATIONS {
        let when = time(migration.version).unwrap_or_else(|| "pending".into());
        output::line(&format!("{:>4}  {when:<24}  {}", migration.version, migration.name))?;
    }
    Ok(())
}
