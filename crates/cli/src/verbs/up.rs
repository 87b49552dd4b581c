use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, plan as display, table};
use crate::project::{Source, request};
use crate::run::{self, Terminal};
use crate::verbs::status::concern_text;
use andamio_operate::plan::PlanReport;
use andamio_operate::release::Heard;
use andamio_operate::status::concerns;
use andamio_operate::{
    Ended, Failure, Instance, OpenMode, Prepared, accept, hosts, release, up as operate,
};
use andamio_provision::local::install;
use serde_json::json;
use std::path::Path;

/// What is wanted besides the environment.
pub(crate) struct Wanted<'a> {
    pub(crate) as_recorded: bool,
    pub(crate) reviewed: Option<&'a Path>,
    pub(crate) limit: &'a [String],
    pub(crate) accept: &'a [String],
}

pub(crate) async fn up(
    global: &Global,
    output: &mut Output,
    env: &str,
    wanted: &Wanted<'_>,
) -> Result<Exit, Stop> {
    let limit = wanted.limit;
    let mut request = request(global, env, Source::of(wanted.as_recorded)).await?;
    request.accept = accept::parse(wanted.accept)?;
    let reviewed = wanted.reviewed.map(read_plan).transpose()?;
    let look = Instance::open(request, OpenMode::ReadOnly).await?;
    operate::check_limit(&look, limit)?;
    output.result_of =
        Some(("up".to_owned(), look.topology.env.clone(), look.topology.place.clone()));
    let output = &*output;
    let look = run::verify_host_keys(look, limit, output).await?;
    host(&look, output).await?;
    hosts::check(&look, limit, true).await?;
    if !look.request.as_recorded {
        prepare(&look, output).await?;
    }
    let terminal = Terminal::new(global, output);
    let plan = async || operate::prepare(&look.request, limit, reviewed.as_ref()).await;
    let (ended, prepared) = terminal.runner().carry_out(&look, "up", plan).await?;
    let Prepared { instance, report, .. } = prepared;
    if report.empty {
        output.done(&display(&report, output.style));
    }
    // Also after a failure: what is wrong around the machines may be why.
    let concerns = concerns(&instance).await;
    if !output.json {
        for concern in &concerns {
            output.note(&concern_text(concern, output.style));
        }
    } else if !concerns.is_empty() {
        output.document(&json!({ "v": 1, "type": "concerns", "concerns": concerns }));
    }
    let env = &instance.topology.env;
    let mut next = vec![format!("andamio status {env}"), format!("andamio logs {env} -f")];
    if instance.local().is_ok() {
        next.push(format!("andamio down {env}"));
    }
    let exit = run::finish(output, &ended, &next)?;
    if !report.empty {
        output.done(&closing(&instance, &ended, &next));
    }
    Ok(exit)
}

/// Host packages that are missing are installed, with a word about it.
async fn host(look: &Instance, output: &Output) -> Result<(), Stop> {
    let packages = look.check_host()?;
    if packages.is_empty() {
        return Ok(());
    }
    output.note(&format!("installing on this host: {}", packages.join(", ")));
    install(&packages).await.map_err(Failure::from)?;
    let left = look.check_host()?;
    if left.is_empty() {
        return Ok(());
    }
    Err(Stop::new(
        Exit::Host,
        "packages",
        format!("apt-get installed them, and programs of {} are still missing", left.join(", ")),
        &format!("see what they consist of (dpkg -L {}) and where it went", left.join(" ")),
    ))
}

/// Builds the application's program, where the project says how: what would be deployed is only known
/// afterwards.
pub(crate) async fn prepare(instance: &Instance, output: &Output) -> Result<(), Stop> {
    if !release::is_there(instance)? || instance.request.spec.app.prepare.is_empty() {
        return Ok(());
    }
    output.note(&format!("preparing: {}", instance.request.spec.app.prepare.join(" ")));
    release::prepare(instance, |heard| match heard {
        Heard::Line(line) if output.verbose => output.note(&format!("  {line}")),
        Heard::Still { seconds, last } if !output.verbose => {
            output.note(&format!("  {seconds} s: {last}"));
        }
        _ => {}
    })
    .await?;
    Ok(())
}

/// The plan that was reviewed, as `plan --out` wrote it.
fn read_plan(file: &Path) -> Result<PlanReport, Stop> {
    let unreadable = |e: String| {
        Stop::usage(format!("{}: {e}", file.display()), "name a file that `plan --out` wrote")
    };
    let text = std::fs::read_to_string(file).map_err(|e| unreadable(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| unreadable(e.to_string()))
}

fn closing(instance: &Instance, ended: &Ended, next: &[String]) -> String {
    let Ended { outcome, record } = ended;
    let rows: Vec<Vec<String>> = instance
        .topology
        .machines
        .iter()
        .map(|m| {
            let roles: Vec<&str> = m.roles.iter().map(|r| r.as_str()).collect();
            vec![m.name.clone(), m.address.to_string(), roles.join(" ")]
        })
        .collect();
    let until = record.ended.unwrap_or(record.started);
    let seconds = until.duration_since(record.started).as_secs_f64();
    let mut out =
        format!("\n{} is live: {} changes in {seconds:.1} s\n\n", instance.name(), outcome.changed);
    if !instance.topology.url.is_empty() {
        out.push_str(&format!("  {}\n\n", instance.topology.url));
    }
    for line in table(&["MACHINE", "ADDRESS", "ROLES"], &rows).lines() {
        out.push_str(&format!("  {line}\n"));
    }
    out.push_str("\nNext:\n");
    for command in next {
        out.push_str(&format!("  {command}\n"));
    }
    out
}
