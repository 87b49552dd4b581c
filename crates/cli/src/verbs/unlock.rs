use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::Output;
use crate::project::look;
use crate::run::confirm;
use andamio_engine::{Lock, LockError, LockRecord, RunStatus, Scope};
use andamio_operate::Failure;
use serde_json::json;

pub(crate) async fn unlock(global: &Global, output: &Output, env: &str) -> Result<Exit, Stop> {
    let instance = look(global, env).await?;
    let mut ended: Vec<LockRecord> = Vec::new();
    for scope in Scope::ALL {
        let question = match Lock::holder(&instance.store, scope).await {
            Err(LockError::Garbled(..)) => Some(format!(
                "The record of the lock `{}` is damaged: nobody knows whether a run works on {}.",
                scope.as_str(),
                instance.name()
            )),
            held => held.map_err(Failure::from)?.map(|record| {
                format!(
                    "{} holds {} ({}) for `{}` since {}; its lock would be ended.",
                    record.holder.by,
                    instance.name(),
                    scope.as_str(),
                    record.purpose,
                    record.since
                )
            }),
        };
        if let Some(question) = &question {
            confirm(question, global.yes)?;
        }
        let Some(record) = Lock::force(&instance.store, scope).await.map_err(Failure::from)? else {
            continue;
        };
        let said = format!("{} of {} for `{}`", scope.as_str(), record.holder.by, record.purpose);
        let entry = instance.entry("unlock").end(RunStatus::Ok, 1, &said);
        instance.note(entry).await?;
        if !output.json {
            let (by, name) = (&record.holder.by, instance.name());
            output.done(&format!("The lock of {by} on {name} is ended."));
        }
        ended.push(record);
    }
    if output.json {
        output.document(&json!({ "v": 1, "type": "unlock", "ended": ended.first(), "all": ended }));
    } else if ended.is_empty() {
        output.done(&format!("{} is not locked.", instance.name()));
    }
    Ok(Exit::Done)
}
