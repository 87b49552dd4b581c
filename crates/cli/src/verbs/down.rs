use super::up::release_lock;
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::Output;
use crate::project::request;
use crate::run;
use andamio_engine::Lock;
use andamio_operate::{Instance, OpenMode, down as operate};
use andamio_provision::local::Local;
use serde_json::json;
use std::sync::Arc;

pub(crate) async fn down(global: &Global, output: &mut Output, env: &str) -> Result<Exit, Stop> {
    let instance = Arc::new(Instance::open(request(global, env)?, OpenMode::ReadOnly).await?);
    let topology = &instance.topology;
    output.result_of = Some(("down".to_owned(), topology.env.clone(), topology.place.clone()));
    let output = &*output;
    let here = instance.local().map_or(true, Local::exists);
    if !here && instance.request.state.is_missing() {
        // Nothing here and nothing to note it in.
        if output.json {
            output.document(&json!({
                "v": 1, "type": "result", "run": "", "verb": "down", "env": topology.env,
                "place": topology.place, "status": "ok", "changed": 0, "failed": 0,
                "duration_s": 0.0, "error": null, "next": [],
            }));
        }
        output.done(&format!("Nothing of {} is on this host.", instance.name()));
        return Ok(Exit::Done);
    }
    let lock = run::lock(&instance, "down", output).await?;
    let result = locked(global, output, &instance, &lock).await;
    release_lock(lock).await;
    result
}

async fn locked(
    global: &Global,
    output: &Output,
    instance: &Arc<Instance>,
    lock: &Lock,
) -> Result<Exit, Stop> {
    let (report, steps) = operate::plan(instance)?;
    if !report.empty {
        let question = format!(
            "This removes {} with {} machines and all their data.",
            instance.name(),
            report.machines.len()
        );
        run::confirm(&question, global.yes)?;
    }
    let (outcome, record) =
        run::steps(instance, "down", &report.id, &steps, &[], (lock, output)).await?;
    let env = &instance.topology.env;
    let exit = run::finish(output, &record, &outcome, &[format!("andamio up {env}")])?;
    output.done(&if report.empty {
        format!("Nothing of {} is on this host.", instance.name())
    } else {
        format!("{} is gone. Its ledger and secrets stay in the state.", instance.name())
    });
    Ok(exit)
}
