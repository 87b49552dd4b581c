//! `[backup]`.

use super::reader::{Reader, Table};
use crate::defaults;
use crate::model::Backup;
use crate::schedule::Schedule;
use crate::units::parse_duration;

pub(super) fn read(reader: &mut Reader<'_>, root: &Table<'_>) -> Backup {
    let mut backup = Backup {
        full: defaults::BACKUP_FULL.to_owned(),
        incremental: defaults::BACKUP_INCREMENTAL.to_owned(),
        keep_s: parse_duration(defaults::BACKUP_KEEP).unwrap_or_default(),
    };
    let Some(table) = root
        .get("backup")
        .and_then(|field| reader.table(&field, "write [backup] and its keys below it"))
    else {
        return backup;
    };
    reader.known(&table, &["full", "incremental", "keep"]);
    let full = schedule(reader, &table, "full", &mut backup.full);
    let incremental = schedule(reader, &table, "incremental", &mut backup.incremental);
    if let (Some(full), Some(incremental)) = (full, incremental)
        && incremental.interval_s() >= full.interval_s()
        && let Some(field) = table.get("incremental").or_else(|| table.get("full"))
    {
        let message = "incremental backups are not more frequent than full ones";
        let help = "an incremental stands on the last full: make it the more frequent of the two";
        reader.error("backup-order", field.at(), message, help);
    }
    if let Some(field) = table.get("keep")
        && let Some(text) = reader.string(&field)
    {
        match parse_duration(text) {
            Some(keep_s) => {
                backup.keep_s = keep_s;
                if full.is_some_and(|full| keep_s < full.interval_s()) {
                    let message = format!("`{text}` is shorter than the time between full backups");
                    let help =
                        "every backup would be gone before the next one; for example \"30d\"";
                    reader.error("backup-keep", field.at(), message, help);
                }
            }
            None => {
                let message = format!("`{text}` is not a duration");
                let help = "write a number and m, h, d or w, for example \"30d\"";
                reader.error("invalid-duration", field.at(), message, help);
            }
        }
    }
    backup
}

fn schedule(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    key: &str,
    into: &mut String,
) -> Option<Schedule> {
    if let Some(field) = table.get(key)
        && let Some(text) = reader.string(&field)
    {
        if let Err(error) = text.parse::<Schedule>() {
            let help = "\"daily 03:00 UTC\" or \"every 6h\"";
            reader.error("invalid-schedule", field.at(), error.to_string(), help);
        }
        text.clone_into(into);
    }
    into.parse().ok()
}
