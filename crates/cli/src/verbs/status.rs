use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, table};
use crate::project::request;
use andamio_operate::Instance;
use andamio_operate::status::{Status, status as operate};
use std::sync::Arc;

pub(crate) async fn status(global: &Global, output: &Output, env: &str) -> Result<Exit, Stop> {
    let instance = Arc::new(Instance::look(request(global, env)?).await?);
    let status = operate(&instance).await?;
    if output.json {
        output.document(&status);
    } else {
        output.answer(&render(&status, output));
    }
    Ok(if status.healthy { Exit::Done } else { Exit::Unhealthy })
}

fn render(status: &Status, output: &Output) -> String {
    let style = output.style;
    let word = if status.healthy { style.green("healthy") } else { style.red("unhealthy") };
    let release = status.release.as_deref().unwrap_or("none");
    let mut out = format!("{}@{} is {word}", status.env, status.place);
    if !status.url.is_empty() {
        out.push_str(&format!("  {}", status.url));
    }
    out.push_str(&format!("  release {release}\n\n"));
    let machines: Vec<Vec<String>> = status
        .machines
        .iter()
        .map(|m| {
            // As in the file: a machine's GB has 1024 MB.
            let memory = match (m.memory_bytes >> 20, m.memory_limit_bytes >> 20) {
                // Of servers that exist already neither is known.
                (0, 0) => "-".to_owned(),
                (used, limit) => format!("{used} of {limit} MB"),
            };
            vec![m.name.clone(), m.address.clone(), m.state.to_owned(), memory, m.roles.join(" ")]
        })
        .collect();
    out.push_str(&table(&["MACHINE", "ADDRESS", "STATE", "MEMORY", "ROLES"], &machines));
    out.push('\n');
    let services: Vec<Vec<String>> = status
        .services
        .iter()
        .map(|s| vec![s.machine.clone(), s.name.clone(), s.state.to_owned(), s.detail.clone()])
        .collect();
    out.push_str(&table(&["MACHINE", "SERVICE", "STATE", "DETAIL"], &services));
    out
}
