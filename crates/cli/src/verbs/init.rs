use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, table};
use crate::project::fresh;
use andamio_operate::init::{Init, Made, New, init as operate};
use serde_json::json;

pub(crate) fn init(global: &Global, output: &mut Output) -> Result<Exit, Stop> {
    output.result_of = Some(("init".to_owned(), String::new(), String::new()));
    let wanted = fresh(global);
    let made = operate(&wanted)?;
    let next = next(&made, &wanted);
    if output.json {
        output.document(&document(&made, &wanted, &next));
        return Ok(Exit::Done);
    }
    let mut out = String::new();
    match &made.project {
        Some(project) => describe(&mut out, project, &wanted),
        None => out.push_str(&format!(
            "{} stays as it is. Your identity is new: a member of the team has to let it in.\n",
            wanted.file.display()
        )),
    }
    let kept = if made.new_identity { "made" } else { "kept" };
    out.push_str(&format!(
        "\nYour identity ({kept}): {}\n  public key: {}\n  Keep a copy of the file off this machine; \
         nobody else may see it.\n",
        wanted.identity.display(),
        made.public
    ));
    if let Some(project) = &made.project {
        out.push_str(&format!(
            "\nOffline recovery key, shown this once and kept nowhere:\n\n  {}\n\n  Write it down or put it \
             into the team's safe: it reads the secrets when every identity is lost.\n",
            project.recovery
        ));
    }
    out.push_str("\nNext:\n");
    for command in &next {
        out.push_str(&format!("  {command}\n"));
    }
    output.answer(&out);
    Ok(Exit::Done)
}

fn describe(out: &mut String, project: &New, wanted: &Init) {
    out.push_str(&format!("{} is written. What it says, and why:\n\n", wanted.file.display()));
    let rows: Vec<Vec<String>> = project.found.iter().map(|row| row.to_vec()).collect();
    for line in table(&["WHAT", "VALUE", "WHY"], &rows).lines() {
        out.push_str(&format!("  {line}\n"));
    }
    for warning in &project.warnings {
        out.push_str(&format!("\n  Look at this: {warning}.\n"));
    }
}

fn next(made: &Made, wanted: &Init) -> Vec<String> {
    let words: &[&str] = match &made.project {
        None => return vec![format!("andamio key add {} --name {}", made.public, wanted.user)],
        Some(project) if !project.containerfile => {
            &["write a Containerfile", "andamio check", "andamio plan dev", "andamio up dev"]
        }
        Some(_) => &["andamio check", "andamio plan dev", "andamio up dev"],
    };
    words.iter().map(|&word| word.to_owned()).collect()
}

fn document(made: &Made, wanted: &Init, next: &[String]) -> serde_json::Value {
    let found: Vec<_> = made.project.iter().flat_map(|p| &p.found).collect();
    let found: Vec<_> = found
        .iter()
        .map(|[what, value, why]| json!({ "what": what, "value": value, "why": why }))
        .collect();
    let recovery = made.project.as_ref();
    json!({
        "v": 1, "type": "result", "run": "", "verb": "init", "env": "", "place": "",
        "status": "ok", "changed": made.written.len(), "failed": 0, "duration_s": 0.0,
        "error": null, "next": next, "file": wanted.file,
        "identity": { "file": wanted.identity, "public": made.public, "new": made.new_identity },
        "recovery": recovery.map(|p| json!({ "private": p.recovery, "public": p.recovery_public })),
        "found": found, "warnings": recovery.map(|p| &p.warnings), "written": made.written,
    })
}
