use super::up::prepare;
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, plan as display};
use crate::project::request;
use crate::run;
use andamio_operate::{Instance, hosts, up};
use std::path::Path;
use std::sync::Arc;

pub(crate) async fn plan(
    global: &Global,
    output: &Output,
    env: &str,
    out: Option<&Path>,
    exit_code: bool,
) -> Result<Exit, Stop> {
    let look = run::meet(Instance::look(request(global, env)?).await?, &[], output).await?;
    hosts::check(&look, &[], false).await?;
    let instance = Arc::new(look);
    // So that a reviewed plan is the one that `up` makes.
    prepare(&instance, output).await?;
    let planned = up::plan(&instance, &[]).await?;
    let report = planned.report;
    if let Some(file) = out {
        let text = serde_json::to_string_pretty(&report).unwrap_or_default();
        std::fs::write(file, text + "\n").map_err(|e| {
            Stop::failed(
                "out",
                format!("cannot write {}: {e}", file.display()),
                "name another file",
            )
        })?;
    }
    if output.json {
        output.document(&report);
    } else {
        output.answer(&display(&report, output.style));
        if !report.empty && report.refusals.is_empty() {
            output.note(&format!("`andamio up {env}` does it."));
        }
    }
    Ok(if exit_code && !report.empty { Exit::Changes } else { Exit::Done })
}
