use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, table};
use crate::project::{Project, Source, recorded_instances, request};
use andamio_engine::{RunRecord, RunStatus};
use andamio_operate::{Failure, Instance, OpenMode, linode};
use serde_json::json;

pub(crate) async fn history(
    global: &Global,
    output: &Output,
    env: Option<&str>,
    lines: usize,
) -> Result<Exit, Stop> {
    let names: Vec<String> = match env {
        Some(env) => vec![env.to_owned()],
        None => match recorded_instances(global).await? {
            Some(instances) => instances,
            None => {
                let (_, spec) = Project::valid(global)?;
                spec.environments.iter().map(|e| e.name.clone()).collect()
            }
        },
    };
    let mut runs: Vec<RunRecord> = Vec::new();
    for name in names {
        let request = request(global, &name, Source::Any).await?;
        // Nothing has run there yet; what the others did is no less worth telling.
        if env.is_none() && linode::is_place(&request) {
            continue;
        }
        let instance = Instance::open(request, OpenMode::ReadOnly).await?;
        runs.extend(instance.ledger().runs().await.map_err(Failure::from)?);
    }
    runs.sort_by_key(|r| r.started);
    let skip = runs.len().saturating_sub(lines);
    let runs = &runs[skip..];
    if output.json {
        output.document(&json!({ "v": 1, "type": "history", "runs": runs }));
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    if rows.is_empty() {
        output.answer("No runs yet.");
    } else {
        let header = ["STARTED", "INSTANCE", "VERB", "BY", "STATUS", "CHANGED", "SECONDS", "RUN"];
        let mut text = table(&header, &rows);
        for run in runs {
            for accepted in &run.accepted {
                text.push_str(&format!(
                    "{} overrode {}: {} ({})\n",
                    run.run, accepted.code, accepted.reason, accepted.message
                ));
            }
        }
        output.answer(&text);
    }
    Ok(Exit::Done)
}

fn row(run: &RunRecord) -> Vec<String> {
    let status = match run.status {
        // Killed runs have no second record.
        RunStatus::Started => "unfinished",
        RunStatus::Ok => "ok",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
        RunStatus::Refused => "refused",
    };
    let seconds = run.ended.map_or(String::new(), |ended| {
        format!("{:.1}", ended.duration_since(run.started).as_secs_f64())
    });
    vec![
        format!("{:.0}", run.started),
        format!("{}@{}", run.env, run.place),
        run.verb.clone(),
        run.by.clone(),
        status.to_owned(),
        run.changed.to_string(),
        seconds,
        run.run.clone(),
    ]
}
