use super::up::prepare;
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, more, plan as display};
use crate::project::{Source, request};
use crate::run;
use andamio_operate::plan::PlanReport;
use andamio_operate::{Instance, OpenMode, accept, hosts, linode, up};
use std::path::Path;
use std::sync::Arc;

/// What is wanted of a plan besides being shown.
pub(crate) struct Wanted<'a> {
    pub(crate) as_recorded: bool,
    pub(crate) out: Option<&'a Path>,
    pub(crate) exit_code: bool,
    pub(crate) render: bool,
    pub(crate) accept: &'a [String],
}

pub(crate) async fn plan(
    global: &Global,
    output: &Output,
    env: &str,
    wanted: &Wanted<'_>,
) -> Result<Exit, Stop> {
    let mut request = request(global, env, Source::of(wanted.as_recorded)).await?;
    request.accept = accept::parse(wanted.accept)?;
    if linode::is_place(&request) {
        let terraform = linode::plan(&request)?;
        let next = format!(
            "`andamio plan {} --on {} --render` writes it.",
            terraform.report.env, terraform.report.place
        );
        let exit = show(output, &terraform.report, wanted, &next)?;
        if !wanted.render || exit == Exit::Refused {
            return Ok(exit);
        }
        return render(global, output, &terraform);
    }
    if wanted.render {
        return Err(Stop::usage(
            "only a place of kind linode has Terraform files",
            "name it: --on linode",
        ));
    }
    let look =
        run::verify_host_keys(Instance::open(request, OpenMode::ReadOnly).await?, &[], output)
            .await?;
    hosts::check(&look, &[], false).await?;
    let instance = Arc::new(look);
    if !wanted.as_recorded {
        // So that a reviewed plan is the one that `up` makes.
        prepare(&instance, output).await?;
    }
    let planned = up::plan(&instance, &[]).await?;
    let recorded = if wanted.as_recorded { " --as-recorded" } else { "" };
    show(output, &planned.report, wanted, &format!("`andamio up {env}{recorded}` does it."))
}

/// Shows the plan. What the file itself forbids (budget, quota) is told by the exit status too.
fn show(
    output: &Output,
    report: &PlanReport,
    wanted: &Wanted<'_>,
    next: &str,
) -> Result<Exit, Stop> {
    if let Some(file) = wanted.out {
        let text = serde_json::to_string_pretty(report).unwrap_or_default();
        std::fs::write(file, text + "\n").map_err(|e| {
            Stop::failed(
                "out",
                format!("cannot write {}: {e}", file.display()),
                "name another file",
            )
        })?;
    }
    let refusals: Vec<&str> = report.refusals.iter().map(|r| r.code.as_str()).collect();
    let refused = refusals.iter().any(|code| ["budget", "quota"].contains(code));
    if output.json {
        output.document(report);
    } else {
        output.answer(&display(report, output.style));
        if refused {
            output.more(more(refusals));
        } else if !report.empty && report.refusals.is_empty() && !wanted.render {
            output.note(next);
        }
    }
    Ok(match (refused, wanted.exit_code && !report.empty) {
        (true, _) => Exit::Refused,
        (false, true) => Exit::Changes,
        (false, false) => Exit::Done,
    })
}

/// Writes the file. Lines that somebody wrote by hand are lost, so that is asked.
fn render(global: &Global, output: &Output, terraform: &linode::Terraform) -> Result<Exit, Stop> {
    if terraform.report.empty {
        return Ok(Exit::Done);
    }
    if terraform.overwrites {
        let question = format!("This overwrites {} as shown.", terraform.file.display());
        run::confirm(&question, global.yes)?;
    }
    terraform.render()?;
    output.note(&format!("wrote {}", terraform.file.display()));
    Ok(Exit::Done)
}
