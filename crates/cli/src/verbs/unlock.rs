use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::Output;
use crate::project::request;
use crate::run::confirm;
use andamio_engine::{Lock, LockError};
use andamio_operate::{Failure, Instance, OpenMode};
use serde_json::json;

pub(crate) async fn unlock(global: &Global, output: &Output, env: &str) -> Result<Exit, Stop> {
    let instance = Instance::open(request(global, env)?, OpenMode::ReadOnly).await?;
    let held = match Lock::holder(&instance.store).await {
        Err(LockError::Garbled(..)) => {
            let question = format!(
                "The record of the lock is damaged: nobody knows whether a run works on {}.",
                instance.name()
            );
            confirm(&question, global.yes)?;
            None
        }
        held => held.map_err(Failure::from)?,
    };
    if let Some(record) = &held {
        let question = format!(
            "{} holds {} for `{}` since {}; its lock would be ended.",
            record.holder.by,
            instance.name(),
            record.purpose,
            record.since
        );
        confirm(&question, global.yes)?;
    }
    let ended = Lock::force(&instance.store).await.map_err(Failure::from)?;
    if output.json {
        output.document(&json!({ "v": 1, "type": "unlock", "ended": ended }));
        return Ok(Exit::Done);
    }
    output.done(&match ended {
        Some(record) => {
            format!("The lock of {} on {} is ended.", record.holder.by, instance.name())
        }
        None => format!("{} is not locked.", instance.name()),
    });
    Ok(Exit::Done)
}
