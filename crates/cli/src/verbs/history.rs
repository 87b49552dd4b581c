use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, table};
use crate::project::{Source, request, store};
use andamio_engine::{RunStatus, Signature, Store};
use andamio_operate::Failure;
use andamio_operate::history::{History, Run, instance};
use serde_json::json;

pub(crate) async fn history(
    global: &Global,
    output: &Output,
    env: Option<&str>,
    lines: usize,
) -> Result<Exit, Stop> {
    let (store, names) = match env {
        Some(env) => {
            let request = request(global, env, Source::Any).await?;
            let store = Store::look(&request.state).map_err(Failure::from)?;
            (store, vec![instance(&request)?])
        }
        None => {
            let store = store(global)?;
            let names = store.instances().await.map_err(Failure::from)?;
            let on = |name: &String| {
                let (_, place) = name.split_once('@').unwrap_or_default();
                global.on.as_ref().is_none_or(|on| on == place)
            };
            let names = names.into_iter().filter(on).collect();
            (store, names)
        }
    };
    let mut history = History::default();
    for name in names {
        history.read(&store, &name).await?;
    }
    history.runs.sort_by_key(|run| run.record.started);
    let skip = history.runs.len().saturating_sub(lines);
    let runs = &history.runs[skip..];
    let failure = history.failure();
    if output.json {
        let runs: Vec<_> = runs.iter().map(Run::document).collect();
        let error = failure.as_ref().map(|failure| &failure.error);
        output.document(&json!({
            "v": 1, "type": "history", "runs": runs, "faults": history.faults(), "error": error,
        }));
        return match failure {
            Some(_) => Err(Stop::NodeReport(Exit::Failed)),
            None => Ok(Exit::Done),
        };
    }
    show(runs, output);
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(Exit::Done),
    }
}

fn show(runs: &[Run], output: &Output) {
    if runs.is_empty() {
        output.answer("No runs yet.");
        return;
    }
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    let header = [
        "STARTED", "INSTANCE", "VERB", "BY", "ACTOR", "SIGNED", "STATUS", "CHANGED", "SECONDS",
        "RUN",
    ];
    let mut text = table(&header, &rows);
    for record in runs.iter().map(|run| &run.record) {
        for accepted in &record.accepted {
            text.push_str(&format!(
                "{} overrode {}: {} ({})\n",
                record.run, accepted.code, accepted.reason, accepted.message
            ));
        }
    }
    output.answer(&text);
}

fn row(run: &Run) -> Vec<String> {
    let Run { record, actor, signature } = run;
    let status = match record.status {
        // Killed runs have no second record.
        RunStatus::Started => "unfinished",
        RunStatus::Ok => "ok",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
        RunStatus::Refused => "refused",
    };
    let seconds = record.ended.map_or(String::new(), |ended| {
        format!("{:.1}", ended.duration_since(record.started).as_secs_f64())
    });
    let signed = match signature {
        Signature::Good => "good",
        Signature::None => "none",
        Signature::Bad => "bad",
    };
    // Of a key that nobody is known by, its end tells it from others.
    let actor = actor.as_deref().unwrap_or("-");
    let actor = match actor.strip_prefix("ssh-ed25519 ") {
        Some(key) => format!("…{}", &key[key.len().saturating_sub(8)..]),
        None => actor.to_owned(),
    };
    vec![
        format!("{:.0}", record.started),
        format!("{}@{}", record.env, record.place),
        record.verb.clone(),
        record.by.clone(),
        actor,
        signed.to_owned(),
        status.to_owned(),
        record.changed.to_string(),
        seconds,
        record.run.clone(),
    ]
}
