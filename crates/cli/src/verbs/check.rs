use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, explain as display, findings_document, more, render_findings};
use crate::project::Project;
use andamio_spec::{Finding, explain};
use serde_json::json;

pub(crate) fn check(global: &Global, output: &Output, explained: bool) -> Result<Exit, Stop> {
    let project = Project::read(global)?;
    let ok = project.spec.is_some() && !project.findings.iter().any(Finding::is_error);
    let settings = match &project.spec {
        Some(spec) if explained => explain(spec, &project.text),
        _ => Vec::new(),
    };
    if output.json {
        let mut document = findings_document(&project.findings);
        if explained {
            document["settings"] = json!(settings);
        }
        output.document(&document);
    } else {
        let file = project.file.display().to_string();
        if !project.findings.is_empty() {
            output.answer(&render_findings(&file, &project.text, &project.findings));
            output.more(more(project.findings.iter().map(|finding| finding.code)));
        }
        if !settings.is_empty() {
            output.answer(&display(&settings, output.width(), output.style));
        }
        if ok {
            output.done(&format!("{file} is fine."));
        }
    }
    Ok(if ok { Exit::Done } else { Exit::Spec })
}
