use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::{Output, Style, table};
use crate::project::visit;
use andamio_operate::status::{Concern, Severity, Status, Use, status as operate};
use andamio_spec::units::{format_bandwidth, format_bytes};
use std::sync::Arc;

pub(crate) async fn status(global: &Global, output: &Output, env: &str) -> Result<Exit, Stop> {
    let instance = Arc::new(visit(global, env).await?);
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
                // Of servers that exist already it is not known.
                (0, _) if m.state == "running" => "-".to_owned(),
                (used, limit) => format!("{used} of {limit} MB"),
            };
            let of = |used: Option<u64>, limit: Option<u64>, form: fn(u64) -> String| {
                used.zip(limit)
                    .map_or("-".to_owned(), |(u, l)| format!("{} of {}", form(u), form(l)))
            };
            let disk = of(m.disk_bytes, m.disk_limit_bytes, format_bytes);
            let tasks = of(m.tasks, m.tasks_limit, |number| number.to_string());
            let (state, roles) = (m.state.to_owned(), m.roles.join(" "));
            vec![m.name.clone(), m.address.clone(), state, memory, disk, tasks, roles]
        })
        .collect();
    out.push_str(&table(&HEAD, &machines));
    out.push('\n');
    let services: Vec<Vec<String>> = status
        .services
        .iter()
        .map(|s| vec![s.machine.clone(), s.name.clone(), s.state.to_owned(), s.detail.clone()])
        .collect();
    out.push_str(&table(&["MACHINE", "SERVICE", "STATE", "DETAIL"], &services));
    out.push('\n');
    out.push_str(&table(&["LIMIT", "USED", "OF"], &limits(status)));
    for held in &status.locks {
        let (by, purpose) = (&held.by, &held.purpose);
        out.push_str(&format!("\n{by} works on `{purpose}` since {:.0}\n", held.since));
    }
    if let Some(wanted) = status.desired.as_ref().filter(|wanted| !wanted.enabled) {
        let (by, written) = (&wanted.by, wanted.written);
        out.push_str(&format!("\nnothing is wanted here: {by} took it down at {written:.0}\n"));
    }
    for concern in &status.concerns {
        out.push_str(&format!("\n{}\n", concern_text(concern, style)));
    }
    out
}

/// What is wrong, and what to do about it.
pub(crate) fn concern_text(concern: &Concern, style: Style) -> String {
    let word = match concern.severity {
        Severity::Page => style.red("wrong"),
        Severity::Ticket => style.yellow("soon"),
    };
    format!(
        "{word} {}: {}\n  help: {} [{}]",
        concern.subject, concern.message, concern.help, concern.code
    )
}

const HEAD: [&str; 7] = ["MACHINE", "ADDRESS", "STATE", "MEMORY", "DISK", "TASKS", "ROLES"];

fn limits(status: &Status) -> Vec<Vec<String>> {
    let limits = &status.limits;
    let number: fn(u64) -> String = |number| number.to_string();
    let row = |name: &str, of: Use, form: fn(u64) -> String| {
        let show = |value: Option<u64>| value.map_or("-".to_owned(), form);
        vec![name.to_owned(), show(of.used), show(of.limit)]
    };
    vec![
        row("machines", limits.machines, number),
        row("storage", limits.storage_bytes, format_bytes),
        row("bandwidth", limits.bandwidth_bits_per_s, format_bandwidth),
        row("transfer this month", limits.transfer_bytes, format_bytes),
    ]
}
