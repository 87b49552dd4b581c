use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::Output;
use crate::project::look;
use crate::run::{self, Terminal};
use andamio_operate::down as operate;
use andamio_provision::local::Local;
use serde_json::json;

pub(crate) async fn down(global: &Global, output: &mut Output, env: &str) -> Result<Exit, Stop> {
    let instance = look(global, env).await?;
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
    let terminal = Terminal::new(global, output);
    let plan = async || operate::prepare(&instance.request).await;
    let (ended, prepared) = terminal.runner().carry_out(&instance, "down", plan).await?;
    let env = &instance.topology.env;
    let exit = run::finish(output, &ended, &[format!("andamio up {env}")])?;
    output.done(&if prepared.report.empty {
        format!("Nothing of {} is on this host.", instance.name())
    } else {
        format!("{} is gone. Its ledger and secrets stay in the state.", instance.name())
    });
    Ok(exit)
}
