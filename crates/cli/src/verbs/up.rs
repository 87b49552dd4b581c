use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, plan as display, table};
use crate::project::request;
use crate::run;
use crate::verbs::status::concern_text;
use andamio_engine::{Lock, PlanReport};
use andamio_operate::release::Heard;
use andamio_operate::status::concerns;
use andamio_operate::{
    Failure, Instance, OpenMode, Request, accept, hosts, release, up as operate,
};
use andamio_provision::local::install;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

pub(crate) async fn up(
    global: &Global,
    output: &mut Output,
    env: &str,
    reviewed: Option<&Path>,
    limit: &[String],
    accept: &[String],
) -> Result<Exit, Stop> {
    let mut request = request(global, env)?;
    request.accept = accept::parse(accept)?;
    let reviewed = reviewed.map(read_plan).transpose()?;
    let look = Instance::open(request, OpenMode::ReadOnly).await?;
    operate::check_limit(&look, limit)?;
    output.result_of =
        Some(("up".to_owned(), look.topology.env.clone(), look.topology.place.clone()));
    let output = &*output;
    let look = run::verify_host_keys(look, limit, output).await?;
    let request = look.request.clone();
    host(&look, output).await?;
    hosts::check(&look, limit, true).await?;
    let lock = run::lock(&look, "up", output).await?;
    let result = locked(global, output, request, reviewed.as_ref(), limit, &lock).await;
    if let (true, Ok(local)) = (result.is_err(), look.local()) {
        // Refused or failed before anything was made: nothing stays behind.
        local.abandon();
    }
    release_lock(lock).await;
    result
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

pub(crate) async fn release_lock(lock: Lock) {
    // A lock that cannot be given back ends with this process.
    let _ = lock.release().await;
}

async fn locked(
    global: &Global,
    output: &Output,
    request: Request,
    reviewed: Option<&PlanReport>,
    limit: &[String],
    lock: &Lock,
) -> Result<Exit, Stop> {
    let instance = Arc::new(Instance::open(request, OpenMode::Machines).await?);
    prepare(&instance, output).await?;
    let planned = operate::plan(&instance, limit).await?;
    let report = &planned.report;
    if let Some(reviewed) = reviewed {
        same(report, reviewed)?;
    }
    if !output.json && !report.empty {
        output.note(&display(report, output.style));
    }
    if let Some(refusal) = report.refusals.first() {
        return Err(Stop::new(Exit::Refused, &refusal.code, &refusal.message, &refusal.help));
    }
    if let Some(question) = report.question() {
        run::confirm(&question, global.yes)?;
    }
    if report.empty {
        output.done(&display(report, output.style));
    }
    hosts::install_key(&instance, limit).await?;
    let (steps, accepted) = (&planned.steps, &planned.accepted);
    let (outcome, record) =
        run::steps(&instance, "up", &report.id, steps, accepted, (lock, output)).await?;
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
    let exit = run::finish(output, &record, &outcome, &next)?;
    if !report.empty {
        output.done(&closing(&instance, outcome.changed, &record, &next));
    }
    Ok(exit)
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

/// Reviewed is applied: that plan, or nothing.
fn same(report: &PlanReport, reviewed: &PlanReport) -> Result<(), Stop> {
    if reviewed.id == report.id {
        return Ok(());
    }
    Err(Stop::new(
        Exit::Refused,
        "stale-plan",
        format!(
            "the live state has moved: plan {} was reviewed, it would be {} now",
            reviewed.id, report.id
        ),
        "review it again with `andamio plan --out`",
    ))
}

fn closing(
    instance: &Arc<Instance>,
    changed: u32,
    record: &andamio_engine::RunRecord,
    next: &[String],
) -> String {
    let rows: Vec<Vec<String>> = instance
        .topology
        .machines
        .iter()
        .map(|m| {
            let roles: Vec<&str> = m.roles.iter().map(|r| r.as_str()).collect();
            vec![m.name.clone(), m.address.to_string(), roles.join(" ")]
        })
        .collect();
    let ended = record.ended.unwrap_or(record.started);
    let seconds = ended.duration_since(record.started).as_secs_f64();
    let mut out = format!("\n{} is live: {changed} changes in {seconds:.1} s\n\n", instance.name());
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
